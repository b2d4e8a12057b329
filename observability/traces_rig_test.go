package observability_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"iqgateway/observability"
)

// collector takes what an exporter sends. What a span says in texts can be found
// in it as it stands.
type collector struct {
	*httptest.Server

	mu      sync.Mutex
	got     []byte
	headers []http.Header
	arrived chan struct{} // at each request
	answer  func(w http.ResponseWriter)
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{arrived: make(chan struct{}, 1024)}
	c.Server = httptest.NewServer(http.HandlerFunc(c.take))
	t.Cleanup(c.Close)
	return c
}

func (c *collector) take(w http.ResponseWriter, r *http.Request) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		body, _ = gzip.NewReader(r.Body)
	}
	sent, _ := io.ReadAll(body)
	c.mu.Lock()
	c.headers = append(c.headers, r.Header)
	if r.URL.Path == "/v1/traces" && c.answer == nil {
		c.got = append(c.got, sent...)
	}
	c.mu.Unlock()
	if c.answer != nil {
		c.answer(w)
	}
	c.arrived <- struct{}{}
}

// await returns once the collector was asked n times more.
func (c *collector) await(t *testing.T, n int) {
	t.Helper()
	for range n {
		select {
		case <-c.arrived:
		case <-time.After(time.Minute):
			t.Fatal("nothing arrived in a minute")
		}
	}
}

func (c *collector) has(text string) bool { return c.count(text) > 0 }

func (c *collector) count(text string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return bytes.Count(c.got, []byte(text))
}

// tracesTo exports to c, a few spans at a time and at once, until stop is called,
// which returns once all is sent.
func tracesTo(t *testing.T, url string, log io.Writer) (traces *observability.Traces, metrics *observability.Metrics, stop func()) {
	t.Helper()
	metrics, err := observability.NewMetrics(observability.BuildInfo{Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = metrics.Shutdown(context.Background()) })
	traces = observability.NewTraces(observability.TracesOptions{
		Version: "1.2.3", Replica: "r1", Metrics: metrics, Logger: slog.New(slog.NewTextHandler(log, nil)),
	})
	traces.Follow(observability.NewTracing(observability.TracingOptions{Traces: traces, Export: true, Errors: true}))
	if url != "" {
		if err := traces.Use(&observability.Collector{URL: url + "/v1/traces", Delay: time.Millisecond}); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { traces.Run(ctx) })
	return traces, metrics, sync.OnceFunc(func() {
		cancel()
		running.Wait()
		traces.Close(context.Background())
	})
}

// traced is an observe stage in front of next.
func traced(o observability.TracingOptions, next http.HandlerFunc) http.Handler {
	return observability.Observe(observability.ObserveOptions{
		Replica: "r1", Tracing: observability.NewTracing(o), Refuse: refuseByStatus,
	})(next)
}

// scraped returns what /metrics says, as OpenMetrics if open.
func scraped(t *testing.T, m *observability.Metrics, open bool) string {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody)
	if open {
		r.Header.Set("Accept", "application/openmetrics-text; version=1.0.0")
	}
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, r)
	return w.Body.String()
}

// lineWith returns the first line with a text.
func lineWith(text, part string) string {
	for line := range strings.Lines(text) {
		if strings.Contains(line, part) {
			return line
		}
	}
	return ""
}

// String returns all that was written.
func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
