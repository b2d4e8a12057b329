// Command gateway is an egress gateway for the iQmetrix APIs; `gateway --help`
// lists what it does.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// version is set when the program is linked.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	p := program{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, environ: os.Environ()}
	code := p.run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// program is the command line as a value: tests run it as main does.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	environ        []string
	// started is called with the addresses of a gateway that serves; nil = not.
	started func(addresses)
}
