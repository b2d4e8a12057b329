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
	modules, err := supply.Linked(ctx, root, "./cmd/gateway")
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(supply.Bill(program, version, built.GoVersion, modules))
}
