package rig

import (
	"context"
	"fmt"
	"os"
	"sync"
)

// Program is the gateway, built once for all tests of a package, when the first
// of them asks for it.
type Program struct {
	// Root is the folder of the product's module.
	Root string

	once sync.Once
	dir  string
	path string
	err  error
}

// Path returns where the program is.
func (p *Program) Path() (string, error) {
	p.once.Do(func() {
		if p.dir, p.err = os.MkdirTemp("", "iqgateway-rig-"); p.err != nil {
			p.err = fmt.Errorf("building the gateway: %w", p.err)
			return
		}
		// No test's context: the others need it too.
		p.path, p.err = Build(context.Background(), p.Root, p.dir)
	})
	return p.path, p.err
}

// Run runs all tests of a package, removes the program and returns the exit code.
func (p *Program) Run(tests func() int) int {
	code := tests()
	if p.dir == "" {
		return code
	}
	if err := os.RemoveAll(p.dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return max(code, 1)
	}
	return code
}
