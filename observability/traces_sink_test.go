package observability_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"

	"iqgateway/internal/exchange"
	"iqgateway/observability"
)

// ok answers the requests of a caller that is known.
func ok(w http.ResponseWriter, r *http.Request) {
	known(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })(w, r)
}

// counted sums up what /metrics says of telemetry.
func counted(t *testing.T, m *observability.Metrics, name, labels string) int {
	t.Helper()
	sum := 0
	for line := range strings.Lines(scraped(t, m, false)) {
		if strings.HasPrefix(line, name+"{") && strings.Contains(line, labels) {
			_, value, _ := strings.Cut(strings.TrimSpace(line), "} ")
			n, err := strconv.Atoi(value)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			sum += n
		}
	}
	return sum
}

// A queue that nobody empties holds up no request: what does not fit is counted.
func TestTraceQueueIsFull(t *testing.T) {
	metrics, err := observability.NewMetrics(observability.BuildInfo{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = metrics.Shutdown(t.Context()) }()
	traces := observability.NewTraces(observability.TracesOptions{Metrics: metrics}) // does not run
	h := traced(observability.TracingOptions{Traces: traces, Export: true, Sample: 1}, ok)
	const queue, more = 2048, 100
	for range queue + more {
		h.ServeHTTP(httptest.NewRecorder(), plainGet())
	}
	if n := counted(t, metrics, "iqgw_telemetry_dropped_total", `reason="queue"`); n != more {
		t.Errorf("%d spans were dropped, want %d", n, more)
	}
}

// A collector that hangs holds up no request either, nor the end for longer than
// it may take; each span is exported or counted as lost.
func TestCollectorHangs(t *testing.T) {
	c := newCollector(t)
	hang, asked := make(chan struct{}), make(chan struct{}, 1)
	c.answer = func(http.ResponseWriter) { asked <- struct{}{}; <-hang }
	defer close(hang)
	metrics, err := observability.NewMetrics(observability.BuildInfo{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = metrics.Shutdown(context.Background()) }()
	traces := observability.NewTraces(observability.TracesOptions{Metrics: metrics})
	if err := traces.Use(&observability.Collector{URL: c.URL + "/v1/traces", Queue: 64, Batch: 8, Delay: time.Millisecond, Timeout: time.Hour, ExportTimeout: time.Hour}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); traces.Run(ctx) }()
	h := traced(observability.TracingOptions{Traces: traces, Export: true, Sample: 1}, ok)
	const sent = 5000
	for range sent {
		h.ServeHTTP(httptest.NewRecorder(), plainGet())
	}
	<-asked
	cancel()
	<-ended
	traces.Close(ctx) // no time at all
	if n := counted(t, metrics, "iqgw_telemetry_dropped_total", ""); n != sent {
		t.Errorf("%d spans of %d are counted as lost", n, sent)
	}
}

func TestCollectorRefuses(t *testing.T) {
	c := newCollector(t)
	var refusing atomic.Bool
	refusing.Store(true)
	c.answer = func(w http.ResponseWriter) {
		if refusing.Load() {
			http.Error(w, "no \x1b[2J room "+strings.Repeat("x", 5000), http.StatusBadRequest)
		}
	}
	log := &syncBuffer{}
	traces, metrics, stop := tracesTo(t, c.URL, log)
	h := traced(observability.TracingOptions{Traces: traces, Export: true, Sample: 1}, ok)
	for range 3 {
		h.ServeHTTP(httptest.NewRecorder(), plainGet())
		c.await(t, 1)
	}
	refusing.Store(false)
	h.ServeHTTP(httptest.NewRecorder(), plainGet())
	c.await(t, 1)
	stop()
	if lost, sent := counted(t, metrics, "iqgw_telemetry_dropped_total", `reason="export"`), counted(t, metrics, "iqgw_telemetry_exported_total", ""); lost != 3 || sent != 1 {
		t.Errorf("%d lost, %d exported", lost, sent)
	}
	text := log.String()
	if n := strings.Count(text, "traces cannot be exported"); n != 1 || !strings.Contains(text, "traces are exported again") || !strings.Contains(text, "spans_lost=3") {
		t.Errorf("told %d times:\n%s", n, text)
	}
	if len(text) > 2000 {
		t.Errorf("the collector's text fills the log: %d bytes", len(text))
	}
}

// The end sends what is left, also what nobody has looked at yet.
func TestTracesEnd(t *testing.T) {
	c := newCollector(t)
	traces, metrics, stop := tracesTo(t, "", io.Discard)
	if err := traces.Use(&observability.Collector{URL: c.URL + "/v1/traces", Delay: time.Hour}); err != nil {
		t.Fatal(err)
	}
	h := traced(observability.TracingOptions{Traces: traces, Export: true, Sample: 1}, ok)
	const sent = 1500
	for range sent {
		h.ServeHTTP(httptest.NewRecorder(), plainGet())
	}
	traces.Work(observability.Work{Name: "token.fetch", Exchange: &exchange.Exchange{Trace: exchange.NewTrace(), Start: time.Now()}})
	stop()
	stop()
	if n := counted(t, metrics, "iqgw_telemetry_exported_total", ""); n != sent+1 || !c.has("token.fetch") {
		t.Errorf("%d spans of %d are exported", n, sent+1)
	}
}

// Another collector gets what ends from now on; what was under way is not lost.
func TestAnotherCollector(t *testing.T) {
	first, second := newCollector(t), newCollector(t)
	traces, metrics, stop := tracesTo(t, "", io.Discard)
	h := traced(observability.TracingOptions{Traces: traces, Export: true, Sample: 1}, ok)
	use := func(c *collector, delay time.Duration) {
		if err := traces.Use(&observability.Collector{URL: c.URL + "/v1/traces", Delay: delay}); err != nil {
			t.Fatal(err)
		}
	}
	const each = 20
	send := func() {
		for range each {
			h.ServeHTTP(httptest.NewRecorder(), plainGet())
		}
	}
	use(first, time.Millisecond)
	send()
	for first.count("iqgw.request_id") < each {
		first.await(t, 1)
	}
	use(first, time.Millisecond) // the same: nothing is closed
	send()
	use(second, time.Hour)
	send()
	if err := traces.Use(&observability.Collector{URL: "ftp://nowhere"}); err == nil {
		t.Error("no error for a collector that cannot be")
	}
	if err := traces.Use(nil); err != nil {
		t.Fatal(err)
	}
	stop()
	if n := counted(t, metrics, "iqgw_telemetry_exported_total", ""); n != 3*each {
		t.Errorf("%d spans of %d are exported", n, 3*each)
	}
	if a, b := first.count("iqgw.request_id"), second.count("iqgw.request_id"); a+b != 3*each || a < each {
		t.Errorf("the collectors have %d and %d spans of %d", a, b, 3*each)
	}
}

// Work is kept when it failed, when its cause was sampled, and always when it
// fetched a token.
func TestWorkThatIsKept(t *testing.T) {
	c := newCollector(t)
	traces, _, stop := tracesTo(t, c.URL, io.Discard)
	plain := func() *exchange.Exchange { return &exchange.Exchange{Trace: exchange.NewTrace(), Start: time.Now()} }
	sampled, caused := plain(), plain()
	sampled.Trace.Sampled, caused.Link.Sampled = true, true
	traces.Work(observability.Work{Name: "work.plain", Exchange: plain()})
	traces.Work(observability.Work{Name: "work.without"})
	traces.Work(observability.Work{Name: "work.failed", Exchange: plain(), Failure: "timeout"})
	traces.Work(observability.Work{Name: "work.sampled", Exchange: sampled})
	traces.Work(observability.Work{Name: "work.caused", Exchange: caused})
	traces.Work(observability.Work{Name: "token.fetch", Exchange: plain()})
	(*observability.Traces)(nil).Work(observability.Work{Name: "token.fetch", Exchange: plain()})
	stop()
	for name, want := range map[string]bool{
		"work.plain": false, "work.without": false, "work.failed": true, "work.sampled": true, "work.caused": true, "token.fetch": true,
	} {
		if got := c.has(name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// Headers for the collector reach it and nobody else, and who sends is told.
func TestCollectorIsTold(t *testing.T) {
	c, elsewhere := newCollector(t), newCollector(t)
	c.answer = func(w http.ResponseWriter) {
		w.Header().Set("Location", elsewhere.URL)
		w.WriteHeader(http.StatusTemporaryRedirect)
	}
	log := &syncBuffer{}
	traces, _, stop := tracesTo(t, "", log)
	to := observability.Collector{URL: c.URL + "/v1/traces", Gzip: true, Headers: map[string]string{"Api-Key": "CANARY"}, Delay: time.Millisecond}
	if err := traces.Use(&to); err != nil {
		t.Fatal(err)
	}
	h := traced(observability.TracingOptions{Traces: traces, Export: true, Sample: 1}, ok)
	h.ServeHTTP(httptest.NewRecorder(), plainGet())
	c.await(t, 1)
	stop()
	if got := c.headers[0]; got.Get("Api-Key") != "CANARY" || got.Get("Content-Encoding") != "gzip" {
		t.Errorf("asked with %v", got)
	}
	if len(elsewhere.headers) > 0 {
		t.Error("a redirect was followed")
	}
	if text := log.String() + fmt.Sprint(to.LogValue()); strings.Contains(text, "CANARY") {
		t.Errorf("a header was told: %s", text)
	}
}

var exemplarOf = regexp.MustCompile(`# \{[^}]*trace_id="([0-9a-f]{32})"`)

// Durations of exchanges that are kept name their traces, in OpenMetrics alone.
func TestExemplars(t *testing.T) {
	for name, tt := range map[string]struct {
		sample    float64
		exemplars bool
		want      bool
	}{
		"kept": {1, true, true}, "not kept": {0, true, false}, "not asked for": {1, false, false},
	} {
		metrics, err := observability.NewMetrics(observability.BuildInfo{})
		if err != nil {
			t.Fatal(err)
		}
		traces := observability.NewTraces(observability.TracesOptions{})
		var id exchange.TraceID
		h := observability.Observe(observability.ObserveOptions{
			Metrics: metrics,
			Tracing: observability.NewTracing(observability.TracingOptions{Traces: traces, Export: true, Sample: tt.sample, Exemplars: tt.exemplars}),
		})(known(func(_ http.ResponseWriter, r *http.Request) {
			id = exchange.From(r.Context()).Trace.ID
			if trace.SpanContextFromContext(r.Context()).IsValid() {
				t.Error("OpenTelemetry is on the way of a request")
			}
		}))
		h.ServeHTTP(httptest.NewRecorder(), plainGet())
		found := exemplarOf.FindStringSubmatch(scraped(t, metrics, true))
		if (found != nil) != tt.want || found != nil && found[1] != id.String() {
			t.Errorf("%s: %v, the trace is %s", name, found, id)
		}
		if strings.Contains(scraped(t, metrics, false), "trace_id") {
			t.Errorf("%s: exemplars outside of OpenMetrics", name)
		}
		_ = metrics.Shutdown(t.Context())
	}
}
