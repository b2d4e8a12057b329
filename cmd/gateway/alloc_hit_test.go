package main

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"iqgateway/auth"
	"iqgateway/config"
	"iqgateway/observability"
)

// hitAllocations is what a fresh hit may allocate in all stages together, access
// log and metrics included. What they are:
//
//	observe    exchange and its context, observation and recorder, request id, request
//	sanitize   response guard
//	route      the folded path
//	quota      the view, which is taken when the answer is written
//	lookup     question, key, the text of Cache-Status, Age and Content-Length
//	respond    the text of the other fields of our own, their values
const hitAllocations = 12

// TestHitAllocations counts in the stages alone: what net/http allocates for a
// request and its answer is not theirs.
func TestHitAllocations(t *testing.T) {
	ask := stagesOfHit(t)
	if raceDetector {
		t.Skip("under the race detector pools lose what is put into them")
	}
	if n := testing.AllocsPerRun(1000, ask); n > hitAllocations {
		t.Errorf("a hit makes %.0f allocations, %d are enough", n, hitAllocations)
	}
}

// BenchmarkHitStages is a hit without net/http and without a network.
func BenchmarkHitStages(b *testing.B) {
	ask := stagesOfHit(b)
	b.ReportAllocs()
	for b.Loop() {
		ask()
	}
}

// stagesOfHit runs a gateway and returns a func that asks its stages for what
// the cache has.
func stagesOfHit(tb testing.TB) (ask func()) {
	tb.Helper()
	upstream, _ := benchOrigin(tb, oneKiB)
	key, digest := auth.NewKey()
	handler := runStages(tb, strings.NewReplacer("SIM", upstream.URL, "DIGEST", digest, "DIR", tb.TempDir(), "ACCESS", `{"*": write}`,
		"{mode: self_signed}", "{mode: none}", "level: debug", "level: info").Replace(rigConfig))
	w := &countingWriter{header: make(http.Header, 32)}
	r := httptest.NewRequest(http.MethodGet, "/catalogs/v1/Companies(14146)/Catalog/Items/ByVendorSku?vendorSku=1", http.NoBody)
	r.Header = make(http.Header, 8)
	keys := []string{key}
	ask = func() {
		clear(w.header)
		w.status, w.bytes = 0, 0
		r.Header["X-Api-Key"] = keys // the stages take it out
		handler.ServeHTTP(w, r)
		if w.status != http.StatusOK || w.bytes != 1024 {
			tb.Fatalf("answered %d with %d bytes, %v", w.status, w.bytes, w.header)
		}
	}
	ask()
	ask()
	if got := w.header.Get("Cache-Status"); !strings.Contains(got, "; hit") {
		tb.Fatalf("Cache-Status: %s", got)
	}
	return ask
}

// runStages runs a gateway until the test ends and returns its stages.
func runStages(tb testing.TB, text string) http.Handler {
	tb.Helper()
	log, err := observability.NewLogger(io.MultiWriter(), observability.LogOptions{})
	if err != nil {
		tb.Fatal(err)
	}
	g := gatewayOf(tb, text, log)
	runUntilEnd(tb, g)
	return g.current.Load().server
}

// gatewayOf builds a gateway that does not run yet.
func gatewayOf(tb testing.TB, text string, log *slog.Logger) *gateway {
	tb.Helper()
	cfg, _, err := config.Load(config.LoadOptions{Path: "gateway.yaml", Data: []byte(text), Environ: rigEnviron(), Now: time.Now()})
	if err != nil {
		tb.Fatal(err)
	}
	g, err := newGateway(tb.Context(), cfg, log, streams{})
	if err != nil {
		tb.Fatal(err)
	}
	return g
}

// countingWriter is a ResponseWriter that keeps nothing.
type countingWriter struct {
	header http.Header
	status int
	bytes  int
}

// Header implements [http.ResponseWriter].
func (w *countingWriter) Header() http.Header { return w.header }

// WriteHeader implements [http.ResponseWriter].
func (w *countingWriter) WriteHeader(status int) { w.status = status }

// Write implements [http.ResponseWriter].
func (w *countingWriter) Write(p []byte) (int, error) {
	w.bytes += len(p)
	return len(p), nil
}

// SetWriteDeadline serves [http.ResponseController].
func (*countingWriter) SetWriteDeadline(time.Time) error { return nil }
