package observability_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"iqgateway/internal/exchange"
	"iqgateway/observability"
)

// answering is an observe stage at a time in front of what answers as X-Answer
// asks, with a problem if it is a refusal.
func answering(o observability.TracingOptions, now *time.Time) (answer func(status int, took time.Duration)) {
	caller := &exchange.Caller{Name: "pos"}
	var status int
	var took time.Duration
	h := observability.Observe(observability.ObserveOptions{
		Replica: "r1", Tracing: observability.NewTracing(o), Now: func() time.Time { return *now },
	})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ex := exchange.From(r.Context())
		ex.Caller = caller
		if status == http.StatusTooManyRequests {
			ex.Problem = exchange.Refuse(exchange.QuotaExceeded, "")
		}
		*now = now.Add(took)
		w.WriteHeader(status)
	}))
	return func(s int, d time.Duration) {
		status, took = s, d
		h.ServeHTTP(httptest.NewRecorder(), plainGet())
	}
}

// A storm of refusals leaves room for what else is kept always, and what the
// sample keeps. What it loses is counted.
func TestStormOfRefusals(t *testing.T) {
	metrics := newMetrics(t)
	traces := observability.NewTraces(observability.TracesOptions{Metrics: metrics})
	now := time.Now()
	answer := answering(observability.TracingOptions{Traces: traces, Export: true, Errors: true, Refused: true, Slow: time.Minute}, &now)
	dropped := func() int { return counted(t, metrics, "iqgw_telemetry_dropped_total", `reason="always"`) }
	const burst, rate = 500, 50
	for range burst + 100 {
		answer(http.StatusTooManyRequests, 0)
	}
	if got := dropped(); got != 100 {
		t.Errorf("%d refusals of %d are not kept, want 100", got, burst+100)
	}
	for range 100 {
		answer(http.StatusBadGateway, 0)
		answer(http.StatusOK, 0)
	}
	answer(http.StatusOK, time.Minute) // in which much may come again
	if got := dropped(); got != 100 {
		t.Errorf("%d spans of others are lost", got-100)
	}
	for range burst {
		answer(http.StatusTooManyRequests, 0)
	}
	for range 10 {
		now = now.Add(time.Second)
		for range rate {
			answer(http.StatusTooManyRequests, 0)
		}
	}
	if got := dropped(); got != 100 {
		t.Errorf("%d refusals are lost, at a rate that is allowed", got-100)
	}
	answer(http.StatusTooManyRequests, 0)
	if got := dropped(); got != 101 {
		t.Errorf("%d are lost in all", got)
	}
}

// A new generation's rules begin with no new allowance, nor does a refusal promise
// a trace where none is left.
func TestAllowanceIsOfTheProcess(t *testing.T) {
	traces := observability.NewTraces(observability.TracesOptions{})
	o := observability.TracingOptions{Traces: traces, Export: true, Refused: true, URL: "http://ui/{trace_id}"}
	now := time.Now()
	ex := &exchange.Exchange{Start: now, Caller: &exchange.Caller{Name: "pos"}, Trace: exchange.NewTrace(), Problem: exchange.Refuse(exchange.QuotaExceeded, "")}
	if observability.NewTracing(o).RefusalURL(ex, http.StatusTooManyRequests) == "" {
		t.Error("a refusal names no trace")
	}
	for range 500 {
		answering(o, &now)(http.StatusTooManyRequests, 0)
	}
	if got := observability.NewTracing(o).RefusalURL(ex, http.StatusTooManyRequests); got != "" {
		t.Errorf("a refusal names %s", got)
	}
}

// Requests that nobody is known to have sent take a small part of the queue.
func TestStrangersShareOfTheQueue(t *testing.T) {
	metrics := newMetrics(t)
	traces := observability.NewTraces(observability.TracesOptions{Metrics: metrics}) // does not run
	o := observability.TracingOptions{Traces: traces, Export: true, Sample: 1}
	const queue, part = 2048, 256
	dropped := func() int { return counted(t, metrics, "iqgw_telemetry_dropped_total", `reason="queue"`) }
	strangers := traced(o, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
	for range part + 100 {
		strangers.ServeHTTP(httptest.NewRecorder(), plainGet())
	}
	if got := dropped(); got != 100 {
		t.Errorf("%d of strangers are dropped, want 100", got)
	}
	callers := traced(o, ok)
	for range queue - part {
		callers.ServeHTTP(httptest.NewRecorder(), plainGet())
	}
	if got := dropped(); got != 100 {
		t.Errorf("%d of callers are dropped", got-100)
	}
	traces.Close(t.Context())
	for range part {
		strangers.ServeHTTP(httptest.NewRecorder(), plainGet())
	}
	if got := dropped(); got != 100 {
		t.Errorf("%d are dropped though there is room", got-100)
	}
}

// Work that failed is kept as errors are.
func TestFailedWorkIsAnError(t *testing.T) {
	for name, tt := range map[string]struct {
		rules *observability.TracingOptions
		want  map[string]bool
	}{
		"errors are kept":     {&observability.TracingOptions{Export: true, Errors: true}, map[string]bool{"work.failed": true, "token.fetch": true}},
		"errors are not kept": {&observability.TracingOptions{Export: true}, map[string]bool{"work.failed": false, "token.fetch": true}},
		"nothing is exported": {&observability.TracingOptions{Errors: true}, map[string]bool{"work.failed": false, "token.fetch": false}},
		"there are no rules":  {nil, map[string]bool{"work.failed": false, "token.fetch": false}},
	} {
		recent := observability.NewRecent()
		traces := observability.NewTraces(observability.TracesOptions{Recent: recent})
		if tt.rules != nil {
			tt.rules.Traces = traces
			traces.Follow(observability.NewTracing(*tt.rules))
		}
		for work, want := range tt.want {
			w := tokenFetch()
			w.Name, w.Failure = work, "timeout"
			traces.Work(w)
			found, _ := recent.FindTrace(w.Exchange.Trace.ID, func(*observability.Record) bool { return true }, 1)
			if len(found) != 1 || found[0].Kept != want {
				t.Errorf("%s: %s: %+v", name, work, found)
			}
		}
	}
}
