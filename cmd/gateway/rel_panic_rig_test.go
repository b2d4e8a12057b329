package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"iqgateway/config"
	"iqgateway/internal/secret"
	"iqgateway/observability"
)

// mishap is one panic to come: where in the pipeline, and when.
type mishap struct {
	point string // "handler 3" lies in front of the third inbound stage, from 0
	when  string
}

// The moments of a mishap.
const (
	beforeNext  = "before the next stage"
	afterNext   = "after the next stage"
	atHeader    = "at the header"
	insideBody  = "inside the body"
	noHeader    = "in what reads the answer" // which has no header to write to: as a defect of ours would
	noUpstream  = "in what rewrites the request"
	bodyMessage = "some bytes, and then"
)

// saboteur has the stages of a gateway panic, each where and when the test says.
type saboteur struct {
	armed    atomic.Pointer[mishap]
	handlers []string // the points there are
	trippers []string
	fired    atomic.Int64
}

// strike reports whether the panic that is due is this one, once.
func (s *saboteur) strike(point, when string) bool {
	m := s.armed.Load()
	if m == nil || m.point != point || m.when != when || !s.armed.CompareAndSwap(m, nil) {
		return false
	}
	s.fired.Add(1)
	return true
}

func (s *saboteur) panicIf(point, when string, value any) {
	if s.strike(point, when) {
		panic(value)
	}
}

// inBetween puts a point in front of every stage, and one behind the last.
func inBetween[T any](points *[]string, name string, wrap func(point string) func(T) T) between[T] {
	return func(stages []func(T) T) []func(T) T {
		var all []func(T) T
		for i := range len(stages) + 1 {
			point := fmt.Sprintf("%s %d of %d", name, i, len(stages))
			if !slices.Contains(*points, point) {
				*points = append(*points, point)
			}
			all = append(all, wrap(point))
			if i < len(stages) {
				all = append(all, stages[i])
			}
		}
		return all
	}
}

func (s *saboteur) handler(point string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.panicIf(point, beforeNext, r.Header) // which holds the caller's key
			next.ServeHTTP(&sabotagedWriter{w, s, point, r}, r)
			s.panicIf(point, afterNext, r.Header)
		})
	}
}

type sabotagedWriter struct {
	http.ResponseWriter
	saboteur *saboteur
	point    string
	request  *http.Request
}

func (w *sabotagedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *sabotagedWriter) WriteHeader(status int) {
	w.saboteur.panicIf(w.point, atHeader, w.request)
	w.ResponseWriter.WriteHeader(status)
}

func (w *sabotagedWriter) Write(p []byte) (int, error) {
	if w.saboteur.strike(w.point, insideBody) {
		_, _ = w.ResponseWriter.Write([]byte(bodyMessage))
		_ = http.NewResponseController(w.ResponseWriter).Flush()
		panic(p)
	}
	return w.ResponseWriter.Write(p)
}

type tripperFunc func(*http.Request) (*http.Response, error)

func (f tripperFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (s *saboteur) tripper(point string) func(http.RoundTripper) http.RoundTripper {
	return func(next http.RoundTripper) http.RoundTripper {
		return tripperFunc(func(r *http.Request) (*http.Response, error) {
			s.panicIf(point, beforeNext, r)
			res, err := next.RoundTrip(r)
			if err != nil {
				return res, err
			}
			if s.strike(point, afterNext) {
				_ = res.Body.Close()
				panic(errors.New("a stage"))
			}
			if s.strike(point, noHeader) {
				res.Header = nil
			}
			if s.strike(point, insideBody) {
				res.Body = &sabotagedBody{ReadCloser: res.Body}
			}
			return res, nil
		})
	}
}

// sabotagedBody panics after some bytes.
type sabotagedBody struct {
	io.ReadCloser
	read bool
}

func (b *sabotagedBody) one() int { return 1 }

func (b *sabotagedBody) Read(p []byte) (int, error) {
	if b.read {
		_ = p[len(p):][b.one()]
	}
	b.read = true
	return b.ReadCloser.Read(p[:1])
}

// start runs a gateway with the saboteur in it. more has a look at it first.
func (s *saboteur) start(more func(*gateway)) starter {
	return func(t testing.TB, stdout io.Writer, environ []string, args ...string) addresses {
		t.Helper()
		flags := map[string]string{}
		for i := 3; i+1 < len(args); i += 2 {
			key, value, _ := strings.Cut(args[i+1], "=")
			flags[key] = value
		}
		cfg, _, err := config.Load(config.LoadOptions{Path: args[2], Environ: environ, Flags: flags, Now: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		log, err := observability.NewLogger(stdout, observability.LogOptions{})
		if err != nil {
			t.Fatal(err)
		}
		g, err := newGateway(t.Context(), cfg, log, streams{})
		if err != nil {
			t.Fatal(err)
		}
		s.enter(t, g)
		more(g)
		runUntilEnd(t, g)
		return g.addresses()
	}
}

// enter builds the pipeline anew with the saboteur in it, as a reload would.
func (s *saboteur) enter(t testing.TB, g *gateway) {
	t.Helper()
	with, err := newGeneration(g.cfg, g.stores, pipelineOptions{
		replica: g.replica, now: time.Now,
		handlers: inBetween(&s.handlers, "handler", s.handler), trippers: inBetween(&s.trippers, "tripper", s.tripper),
	})
	if err != nil {
		t.Fatal(err)
	}
	g.current.Swap(with).close()
}

func runUntilEnd(t testing.TB, g *gateway) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the gateway ended: %v", err)
		}
	})
}

// follower is a loop in the background that panics whenever it does anything.
func follower(log *gateway, turns *atomic.Int64) *rotation {
	return &rotation{
		what: "a test", log: log.log, now: make(chan struct{}, 1),
		read: func() ([]secret.Text, error) {
			turns.Add(1)
			panic(map[string]string{"password": rigSecrets.password})
		},
	}
}
