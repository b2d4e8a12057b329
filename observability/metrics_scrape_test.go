package observability_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"iqgateway/observability"
)

// Requests go on while many scrape, and nothing is counted twice or lost.
func TestScrapesAndRequestsTogether(t *testing.T) {
	m := newMetrics(t)
	e := estate{environments: 2, services: 10, callers: 10}
	if err := m.ObserveQuotas(e.quotas); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var scrapers, senders sync.WaitGroup
	for range 2 {
		scrapers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					m.Handler().ServeHTTP(nowhere{http.Header{}}, httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody))
				}
			}
		})
	}
	const rounds, together = 3, 4
	for range together {
		senders.Go(func() {
			for range rounds {
				e.serve(t.Context(), m)
			}
		})
	}
	senders.Wait()
	close(done)
	scrapers.Wait()
	if got, want := sumOf(t, scrape(t, m), "iqgw_exchanges_total"), float64(rounds*together*2*10*10); got != want {
		t.Errorf("%v requests are counted of %v", got, want)
	}
}

// BenchmarkScrape reads some 2 000 series.
func BenchmarkScrape(b *testing.B) {
	m := busyMetrics(b)
	b.ReportAllocs()
	for b.Loop() {
		m.Handler().ServeHTTP(nowhere{http.Header{}}, httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody))
	}
}

// BenchmarkExchangeWhileScraped is what a request costs while somebody scrapes all
// the time; of BenchmarkExchangeUnscraped nobody does.
func BenchmarkExchangeWhileScraped(b *testing.B) {
	m := busyMetrics(b)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			default:
				m.Handler().ServeHTTP(nowhere{http.Header{}}, httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody))
			}
		}
	}()
	exchanges(b, m)
	close(done)
	<-ended
}

// BenchmarkExchangeUnscraped is the baseline of BenchmarkExchangeWhileScraped.
func BenchmarkExchangeUnscraped(b *testing.B) { exchanges(b, busyMetrics(b)) }

// exchanges reports the slowest of all, too: what a lock would cost.
func exchanges(b *testing.B, m *observability.Metrics) {
	b.Helper()
	h := observability.Observe(observability.ObserveOptions{Metrics: m})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	var slowest time.Duration
	b.ReportAllocs()
	for b.Loop() {
		began := time.Now()
		h.ServeHTTP(nowhere{http.Header{}}, r)
		slowest = max(slowest, time.Since(began))
	}
	b.ReportMetric(float64(slowest.Microseconds()), "µs-max")
}

// busyMetrics have some 2 000 series.
func busyMetrics(tb testing.TB) *observability.Metrics {
	tb.Helper()
	m, err := observability.NewMetrics(observability.BuildInfo{Version: "test"})
	if err != nil {
		tb.Fatal(err)
	}
	e := estate{environments: 1, services: 10, callers: 30}
	if err := m.ObserveQuotas(e.quotas); err != nil {
		tb.Fatal(err)
	}
	e.serve(tb.Context(), m)
	return m
}

// nowhere is a ResponseWriter that keeps nothing.
type nowhere struct{ header http.Header }

// Header implements [http.ResponseWriter].
func (n nowhere) Header() http.Header { return n.header }

// Write implements [http.ResponseWriter].
func (nowhere) Write(p []byte) (int, error) { return io.Discard.Write(p) }

// WriteHeader implements [http.ResponseWriter].
func (nowhere) WriteHeader(int) {}
