package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"iqgateway/internal/iqsim"
)

// Exit codes.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

// drainTime is how long requests under way may go on after a signal.
const drainTime = 5 * time.Second

// run is the whole program: it serves until ctx ends and returns the exit
// code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) > 0 && args[0] == "traffic" {
		return runTraffic(ctx, args[1:], stdout, stderr)
	}
	s, err := parseSettings(args, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return exitOK
	}
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "iqsim: %v\nRun 'iqsim --help' for the flags.\n", err)
		return exitUsage
	}
	if err := serve(ctx, s, stdout, stderr); err != nil {
		_, _ = fmt.Fprintf(stderr, "iqsim: %v\n", err)
		return exitFailure
	}
	return exitOK
}

// runTraffic is the program when it plays applications.
func runTraffic(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	t, err := parseTraffic(args, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return exitOK
	}
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "iqsim: %v\nRun 'iqsim traffic --help' for the flags.\n", err)
		return exitUsage
	}
	t.play(ctx, stdout)
	return exitOK
}

// serve listens, says where, and serves until ctx ends.
func serve(ctx context.Context, s settings, stdout, stderr io.Writer) error {
	sim, err := iqsim.New(s.options)
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", s.listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", s.listen, err)
	}
	server := &http.Server{
		Handler:           sim,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          log.New(stderr, "iqsim: ", log.LstdFlags),
	}
	writeGreeting(stdout, s, listener.Addr().String())
	failed := make(chan error, 1)
	go func() { failed <- s.serveOn(server, listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	return stop(context.WithoutCancel(ctx), server, failed)
}

// serveOn serves plain HTTP, or HTTPS with a certificate.
func (s settings) serveOn(server *http.Server, listener net.Listener) error {
	if s.certFile != "" {
		return server.ServeTLS(listener, s.certFile, s.keyFile)
	}
	return server.Serve(listener)
}

// stop lets requests under way end, and cuts those that do not.
func stop(ctx context.Context, server *http.Server, served <-chan error) error {
	ctx, cancel := context.WithTimeout(ctx, drainTime)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		_ = server.Close() // what is left is stalled on purpose
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}
