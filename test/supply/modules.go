package supply

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
)

// Module is one that a program is linked with.
type Module struct {
	// Path and Version name it, as in go.mod.
	Path, Version string
	// Sum is its hash in go.sum ("h1:…").
	Sum string
	// Licences are the SPDX identifiers of what it comes under.
	Licences []string
}

// Linked returns the modules whose packages a program of the module in root is
// made of, without that module itself, in order. What it is built for follows as
// variables ("GOARCH=arm64"); none = this machine.
func Linked(ctx context.Context, root, program string, target ...string) ([]Module, error) {
	command := exec.CommandContext(ctx, "go", "list", "-deps", "-json=Module", program)
	command.Dir, command.Env = root, append(os.Environ(), target...)
	var failure bytes.Buffer
	command.Stderr = &failure
	out, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("the modules of %s: %w\n%s", program, err, failure.Bytes())
	}
	seen := map[string]bool{}
	var modules []Module
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			Module *struct {
				Path, Version, Sum, Dir string
				Main                    bool
			}
		}
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("the modules of %s: %w", program, err)
		}
		if m := p.Module; m != nil && !m.Main && !seen[m.Path] {
			seen[m.Path] = true
			licences, err := licencesIn(m.Dir)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", m.Path, err)
			}
			modules = append(modules, Module{Path: m.Path, Version: m.Version, Sum: m.Sum, Licences: licences})
		}
	}
	slices.SortFunc(modules, func(a, b Module) int { return cmp.Compare(a.Path, b.Path) })
	return modules, nil
}
