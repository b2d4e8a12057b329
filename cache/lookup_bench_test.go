package cache_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"iqgateway/cache"
	"iqgateway/internal/exchange"
)

// BenchmarkLookup is a fresh hit of 1 KiB in the lookup stage alone, beside a
// bare handler that writes the same bytes.
func BenchmarkLookup(b *testing.B) {
	hit, r := lookupStage(b)
	for name, h := range map[string]http.Handler{"hit": hit, "bare": kilobyte()} {
		b.Run(name, func(b *testing.B) {
			w := &idleWriter{header: make(http.Header, 32)}
			b.ReportAllocs()
			for b.Loop() {
				clear(w.header)
				h.ServeHTTP(w, r)
			}
			if w.bytes != 1024*int64(b.N) {
				b.Errorf("%d answers have %d bytes", b.N, w.bytes)
			}
		})
	}
}

// The question, its key, and the text of what is of the moment; the folded path
// where routing has none.
func TestLookupAllocations(t *testing.T) {
	hit, r := lookupStage(t)
	w := &idleWriter{header: make(http.Header, 32)}
	n := testing.AllocsPerRun(1000, func() {
		clear(w.header)
		hit.ServeHTTP(w, r)
	})
	if n > 3 {
		t.Errorf("a hit makes %.0f allocations", n)
	}
	if got := w.header.Get("Content-Length"); got != "1024" || w.header.Get("Age") == "" {
		t.Errorf("%v", w.header)
	}
}

func kilobyte() http.HandlerFunc {
	body := []byte(strings.Repeat("x", 1024))
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = []string{"application/json"}
		w.Header()["Content-Length"] = []string{"1024"}
		_, _ = w.Write(body)
	}
}

// lookupStage returns a stage that has the answer to the request.
func lookupStage(tb testing.TB) (http.Handler, *http.Request) {
	tb.Helper()
	c, origin := cache.New(cache.Options{Memory: 1 << 20}), kilobyte()
	stages := c.Stages(cache.StageOptions{
		Services: map[cache.ServiceName]*cache.Service{crm: {Mode: cache.ModePolicy, Rules: []cache.Rule{*everything()}, MaxObject: 1 << 16}},
		Refuse:   refuse,
	})
	store := stages.Store(roundTripperFunc(func(r *http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		origin(w, r)
		answer := w.Result()
		answer.Request = r
		return answer, nil
	}))
	stage := stages.Lookup(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, err := store.RoundTrip(r)
		if err != nil {
			tb.Error(err)
			return
		}
		defer answer.Body.Close()
		_, _ = io.Copy(w, answer.Body)
	}))
	target := &exchange.Target{
		Environment: crm.Environment, Service: crm.Service, Upstream: &url.URL{Scheme: "http", Host: "crm.test"}, Path: "/v1/Companies(1)", Folded: "/v1/companies(1)", Policy: "authenticated",
	}
	ex := &exchange.Exchange{Caller: &exchange.Caller{Name: "pos"}, Target: target, Credential: "retail"}
	r := httptest.NewRequestWithContext(exchange.With(tb.Context(), ex), http.MethodGet, "/v1/Companies(1)", http.NoBody)
	r.Header.Set("Accept-Encoding", "gzip")
	for range 100 { // it is stored when the fetch has ended, maybe after its answer
		stage.ServeHTTP(httptest.NewRecorder(), r)
		if ex.Cache.Result == exchange.CacheHit {
			return stage, r
		}
	}
	tb.Fatalf("not stored: %+v", ex.Cache)
	return nil, nil
}

type roundTripperFunc func(*http.Request) (*http.Response, error)

// RoundTrip implements [http.RoundTripper].
func (f roundTripperFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// idleWriter is a ResponseWriter that keeps nothing.
type idleWriter struct {
	header http.Header
	bytes  int64
}

// Header implements [http.ResponseWriter].
func (w *idleWriter) Header() http.Header { return w.header }

// WriteHeader implements [http.ResponseWriter].
func (*idleWriter) WriteHeader(int) {}

// Write implements [http.ResponseWriter].
func (w *idleWriter) Write(p []byte) (int, error) {
	w.bytes += int64(len(p))
	return len(p), nil
}
