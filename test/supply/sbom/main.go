// Command sbom writes the bill of materials of a gateway that was built from the
// module in -root.
package main

import (
	"context"
	"debug/buildinfo"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"iqgateway/test/supply"
)

func main() {
	root := flag.String("root", "..", "folder of the product's module")
	binary := flag.String("binary", "", "the program")
	version := flag.String("version", "dev", "its version")
	flag.Parse()
	if err := write(context.Background(), os.Stdout, *root, *binary, *version); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func write(ctx context.Context, out io.Writer, root, binary, version string) error {
	program, err := os.ReadFile(binary)
	if err != nil {
		return err
	}
	built, err := buildinfo.ReadFile(binary)
	if err != nil {
		return err
	}
	modules, err := supply.Linked(ctx, root, "./cmd/gateway", target(built)...)
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(supply.Bill(program, version, built.GoVersion, modules))
}

// target is what a program was built for, which decides what it is linked with.
func target(built *debug.BuildInfo) (variables []string) {
	for _, s := range built.Settings {
		switch s.Key {
		case "GOOS", "GOARCH", "CGO_ENABLED":
			variables = append(variables, s.Key+"="+s.Value)
		}
	}
	return variables
}
