package proxy_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// panicBody panics after some bytes.
type panicBody struct{ after io.Reader }

func (b *panicBody) Read(p []byte) (int, error) {
	if n, err := b.after.Read(p); err == nil {
		return n, nil
	}
	panic("in the body")
}

func (b *panicBody) Close() error { return nil }

// caught is what the stage before the proxy sees of a panic.
type caught struct {
	value any
	next  http.Handler
	wrote *httptest.ResponseRecorder
}

func (c *caught) serve(t *testing.T, r *http.Request) {
	t.Helper()
	c.wrote = httptest.NewRecorder()
	defer func() { c.value = recover() }()
	c.next.ServeHTTP(c.wrote, r)
}

// REL-37: what panics is one request, in its own goroutine: never the process,
// and never an answer that looks whole.
func TestREL37Panics(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "an answer")
	}))
	t.Cleanup(up.Close)
	stage := func(do func(*http.Request, http.RoundTripper) (*http.Response, error)) func(*gate) {
		return func(g *gate) { g.Between = do }
	}
	for name, tt := range map[string]struct {
		change func(*gate)
		body   io.ReadCloser
		begun  bool // the answer was
	}{
		"in an outbound stage": {change: stage(func(*http.Request, http.RoundTripper) (*http.Response, error) { panic("in a stage") })},
		"after the answer came": {change: stage(func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
			res, err := next.RoundTrip(r)
			if err == nil {
				defer func() { _ = res.Body.Close() }()
			}
			panic("in a stage")
		})},
		"in ModifyResponse": {change: stage(func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
			res, err := next.RoundTrip(r)
			if err == nil {
				_ = res.Body.Close()
				res.Header = nil // which the stage writes to
			}
			return res, err
		})},
		"in Rewrite": {change: func(g *gate) { g.Target.Upstream = nil }},
		"in the middle of the answer": {begun: true, change: stage(func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
			res, err := next.RoundTrip(r)
			if err == nil {
				_ = res.Body.Close()
				res.Body, res.ContentLength = &panicBody{strings.NewReader("some")}, -1
			}
			return res, err
		})},
		"in the request's body":               {body: &panicBody{strings.NewReader("")}},
		"in the middle of the request's body": {body: &panicBody{strings.NewReader("some")}},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGate(t, up.URL, tt.change)
			c := caught{next: g.Config.Handler}
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/svc/x", nil)
			r.RequestURI = "/svc/x"
			if tt.body != nil {
				r.Body, r.ContentLength = tt.body, 1000
			}
			c.serve(t, r)
			if c.value == nil {
				t.Fatalf("no panic, but %d %s", c.wrote.Code, c.wrote.Body)
			}
			if err, ok := c.value.(error); ok && errors.Is(err, http.ErrAbortHandler) && !tt.begun {
				t.Errorf("cut silently: %v", err)
			}
			if begun := c.wrote.Body.Len() > 0; begun != tt.begun {
				t.Errorf("wrote %q", c.wrote.Body)
			}
			_ = g.finished(t)
		})
	}
}
