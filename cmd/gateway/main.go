// Command gateway is an egress gateway for the iQmetrix APIs; `gateway --help`
// lists what it does.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"iqgateway/observability"
)

// version is set when the program is linked.
var version = "dev"

func main() {
	ctx, hurry, stop := signals()
	p := program{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, environ: os.Environ(), hurry: hurry, hangups: hangups, brokenPipes: ignoreBrokenPipes}
	code := p.run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// signals ends ctx at the first signal, closes hurry at the second, and leaves
// the third to the system, which ends the process at once.
func signals() (ctx context.Context, hurry <-chan struct{}, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	received, again := make(chan os.Signal, 2), make(chan struct{})
	signal.Notify(received, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-received
		cancel()
		<-received
		signal.Stop(received)
		close(again)
	}()
	return ctx, again, func() { signal.Stop(received); cancel() }
}

// hangups tells of each SIGHUP until stop is called; on systems that have none,
// of nothing. One that comes while another is waiting to be seen counts as it.
func hangups() (told <-chan os.Signal, stop func()) {
	received := make(chan os.Signal, 1)
	signal.Notify(received, syscall.SIGHUP)
	return received, func() { signal.Stop(received) }
}

// ignoreBrokenPipes has a gateway outlive whoever reads what it writes: by
// default a write to a standard stream that nobody reads any more ends a process.
func ignoreBrokenPipes() { signal.Ignore(syscall.SIGPIPE) }

// program is the command line as a value: tests run it as main does.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	environ        []string
	// hurry is closed when a gateway that drains should end soon; nil = never.
	hurry <-chan struct{}
	// hangups begins to tell a gateway to reload; nil = nothing does.
	hangups func() (told <-chan os.Signal, stop func())
	// brokenPipes is called before a gateway logs; nil = nothing is.
	brokenPipes func()
	// logs is called with what a gateway's log is written by; nil = not.
	logs func(*observability.Lines)
	// opened is called with a gateway before it serves; nil = not.
	opened func(*gateway)
	// started is called with the addresses of a gateway that serves; nil = not.
	started func(addresses)
}
