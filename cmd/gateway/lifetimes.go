package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"iqgateway/internal/steady"
	"iqgateway/observability"
	"iqgateway/proxy"
)

// hurried is how long what still runs may take to end after a second signal.
const hurried = time.Second

// endpoint is one bound listener and the server on it.
type endpoint struct {
	name     string
	listener net.Listener
	drainer  *proxy.Drainer
	callers  bool   // it is theirs; false = of probes and operators
	ending   func() // ends what would outlast a drain; nil = nothing would
}

func (e endpoint) serve() error {
	if err := e.drainer.Serve(e.listener); err != nil {
		return fmt.Errorf("%s listener: %w", e.name, err)
	}
	return nil
}

// lifetimes runs endpoints until one fails or ctx ends, then drains: not ready
// and lame for lameDuck, then at most drain for what still runs.
type lifetimes struct {
	endpoints []endpoint
	draining  *atomic.Bool // what readiness tells
	lameDuck  time.Duration
	drain     time.Duration
	hurry     <-chan struct{} // closed: no lame duck any more, and hurried for the rest; nil = never
	log       *slog.Logger
}

func (l lifetimes) run(ctx context.Context) error {
	group, groupCtx := errgroup.WithContext(ctx)
	for _, e := range l.endpoints {
		group.Go(l.guarded(ctx, e.name+" listener", e.serve))
	}
	group.Go(l.guarded(ctx, "drain", func() error {
		<-groupCtx.Done()
		l.draining.Store(true)
		if ctx.Err() != nil { // asked to stop, not failed
			l.log.Info("draining", slog.String("lame_duck", l.lameDuck.String()), slog.String("drain_timeout", l.drain.String()))
			l.quack()
		}
		// A cancelled context would end the drain with requests in flight.
		return l.shutdown(context.WithoutCancel(ctx))
	}))
	return group.Wait()
}

// guarded has a panic end the gateway as an error does, with a drain.
func (l lifetimes) guarded(ctx context.Context, what string, do func() error) func() error {
	return func() error {
		err := fmt.Errorf("%s: panicked", what)
		steady.Try(func() { err = do() }, func(value any, stack []byte) {
			l.log.LogAttrs(ctx, slog.LevelError, "panic in the "+what, observability.PanicAttrs(value, stack)...)
		})
		return err
	}
}

// quack serves on while balancers learn that this replica is not ready, and
// clients that their connections end.
func (l lifetimes) quack() {
	for _, e := range l.endpoints {
		if e.callers {
			e.drainer.LameDuck()
		}
	}
	lameDuck := time.NewTimer(l.lameDuck)
	defer lameDuck.Stop()
	select {
	case <-lameDuck.C:
	case <-l.hurry:
	}
}

// shutdown drains the callers' servers first, so that probes and scrapers see
// the gateway until its last request is done.
func (l lifetimes) shutdown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, l.drain)
	defer cancel()
	defer l.hurryUp(cancel)()
	begun := time.Now()
	var errs []error
	for _, callers := range []bool{true, false} {
		var wave errgroup.Group
		for _, e := range l.endpoints {
			if e.callers != callers {
				continue
			}
			if e.ending != nil {
				e.ending()
			}
			wave.Go(l.guarded(ctx, "end of the "+e.name+" listener", func() error {
				if err := e.drainer.Shutdown(ctx); err != nil {
					return fmt.Errorf("%s: requests were cut after %s: %w", e.name, time.Since(begun).Round(time.Millisecond), err)
				}
				return nil
			}))
		}
		errs = append(errs, wave.Wait())
	}
	return errors.Join(errs...)
}

// hurryUp calls cut a moment after somebody hurries, until stop is called.
func (l lifetimes) hurryUp(cut func()) (stop func()) {
	ended := make(chan struct{})
	go func() {
		select {
		case <-l.hurry:
		case <-ended:
			return
		}
		l.log.Warn("hurrying", slog.String("drain_timeout", hurried.String()))
		rest := time.NewTimer(hurried)
		defer rest.Stop()
		select {
		case <-rest.C:
			cut()
		case <-ended:
		}
	}()
	return func() { close(ended) }
}
