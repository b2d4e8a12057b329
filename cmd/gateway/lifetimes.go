package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// endpoint is one bound listener and the server on it.
type endpoint struct {
	name     string
	server   *http.Server
	listener net.Listener
	tls      bool // the server's TLSConfig is set
	data     bool // serves callers: drained, not just closed
}

func (e endpoint) serve() error {
	var err error
	if e.tls {
		err = e.server.ServeTLS(e.listener, "", "")
	} else {
		err = e.server.Serve(e.listener)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("%s listener: %w", e.name, err)
}

// drainer tells every answer to end its connection once draining begins:
// shutting down at once loses requests that are on their way on kept-alive
// connections, closing them after an answer loses none.
type drainer struct{ draining atomic.Bool }

func (d *drainer) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if d.draining.Load() {
			w.Header().Set("Connection", "close") // HTTP/2 sends GOAWAY for it
		}
		next.ServeHTTP(w, r)
	})
}

// lifetimes runs endpoints until one fails or ctx ends, then drains: not
// ready and lame for lameDuck, then at most drain for what still runs.
type lifetimes struct {
	endpoints []endpoint
	drainer   *drainer
	lameDuck  time.Duration
	drain     time.Duration
	log       *slog.Logger
}

func (l lifetimes) run(ctx context.Context) error {
	group, groupCtx := errgroup.WithContext(ctx)
	for _, e := range l.endpoints {
		group.Go(e.serve)
	}
	group.Go(func() error {
		<-groupCtx.Done()
		l.drainer.draining.Store(true)
		if ctx.Err() != nil { // asked to stop, not failed
			l.log.Info("draining", slog.String("lame_duck", l.lameDuck.String()), slog.String("drain_timeout", l.drain.String()))
			lameDuck := time.NewTimer(l.lameDuck)
			defer lameDuck.Stop()
			<-lameDuck.C
		}
		// A cancelled context would end Shutdown with requests in flight.
		return l.shutdown(context.WithoutCancel(ctx))
	})
	return group.Wait()
}

// shutdown drains the callers' servers first, so that probes and scrapers see
// the gateway until its last request is done.
func (l lifetimes) shutdown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, l.drain)
	defer cancel()
	var errs []error
	for _, data := range []bool{true, false} {
		var wave errgroup.Group
		for _, e := range l.endpoints {
			if e.data != data {
				continue
			}
			wave.Go(func() error {
				if err := e.server.Shutdown(ctx); err != nil {
					_ = e.server.Close()
					return fmt.Errorf("%s: requests were cut after %s: %w", e.name, l.drain, err)
				}
				return nil
			})
		}
		errs = append(errs, wave.Wait())
	}
	return errors.Join(errs...)
}
