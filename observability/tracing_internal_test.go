package observability

import (
	"fmt"
	"math"
	"net/http"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"iqgateway/internal/exchange"
)

func exporting(o TracingOptions) *Tracing {
	o.Traces, o.Export = NewTraces(TracesOptions{}), true
	return NewTracing(o)
}

// All who are asked about a trace id agree with the SDKs of OpenTelemetry.
func TestSampleIsThatOfTheSDK(t *testing.T) {
	for _, ratio := range []float64{-1, 0, 1e-9, 0.01, 0.25, 1.0 / 3, 0.999, 1, 2, math.Inf(1)} {
		sdk, ours := sdktrace.TraceIDRatioBased(ratio), exporting(TracingOptions{Sample: ratio})
		for range 2000 {
			id := exchange.NewTraceID()
			want := sdk.ShouldSample(sdktrace.SamplingParameters{TraceID: trace.TraceID(id)}).Decision == sdktrace.RecordAndSample
			if got := ours.sampled(id[8:]); got != want {
				t.Fatalf("ratio %v, %s: %v, want %v", ratio, id, got, want)
			}
		}
	}
}

// What goes to upstreams that are trusted is decided when an exchange begins.
func TestTraceBegins(t *testing.T) {
	const no, yes = "00-" + someTrace + "-" + someParent + "-00", wellFormed
	for name, tt := range map[string]struct {
		tracing *Tracing
		parent  string
		sampled bool
	}{
		"no tracing":                  {nil, "", false},
		"no tracing, parent does":     {nil, yes, true},
		"not exported":                {NewTracing(TracingOptions{Sample: 1}), "", false},
		"not exported, parent does":   {NewTracing(TracingOptions{Sample: 1}), yes, true},
		"not exported, over it":       {NewTracing(TracingOptions{IgnoreParent: true}), yes, true},
		"ratio 1":                     {exporting(TracingOptions{Sample: 1}), "", true},
		"ratio 0":                     {exporting(TracingOptions{}), "", false},
		"ratio 1, parent does not":    {exporting(TracingOptions{Sample: 1}), no, false},
		"ratio 0, parent does":        {exporting(TracingOptions{}), yes, true},
		"ratio 1 over the parent":     {exporting(TracingOptions{Sample: 1, IgnoreParent: true}), no, true},
		"ratio 0 over the parent":     {exporting(TracingOptions{IgnoreParent: true}), yes, false},
		"ratio 1, parent is nonsense": {exporting(TracingOptions{Sample: 1}), "nonsense", true},
	} {
		h := http.Header{}
		if tt.parent != "" {
			h.Set("Traceparent", tt.parent)
		}
		got := tt.tracing.begin(h)
		if exported := tt.tracing != nil && tt.tracing.options.Export; got.Told != exported {
			t.Errorf("%s: others are told of spans: %v", name, got.Told)
		}
		if got.Sampled != tt.sampled || got.Span == (exchange.SpanID{}) || got.ID == (exchange.TraceID{}) {
			t.Errorf("%s: %+v", name, got)
		}
		if inside := got.ID.String() == someTrace; inside != (tt.parent == yes || tt.parent == no) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestWhatIsKept(t *testing.T) {
	caller := &exchange.Caller{Name: "pos"}
	in, out := exchange.SpanID{1}, exchange.SpanID{0xff} // of which half of all are like the first
	all := TracingOptions{Errors: true, Refused: true, Slow: 2 * time.Second}
	half := all
	half.Sample = 0.5
	refusal := exchange.Refuse(exchange.QuotaExceeded, "")
	for name, tt := range map[string]struct {
		options TracingOptions
		caller  *exchange.Caller
		trace   exchange.Trace
		problem *exchange.Problem
		status  int
		cut     bool
		took    time.Duration
		want    bool
	}{
		"uneventful":                     {options: all, caller: caller, status: 200},
		"sampled":                        {caller: caller, trace: exchange.Trace{Sampled: true}, status: 200, want: true},
		"5xx":                            {options: all, caller: caller, status: 500, want: true},
		"5xx, no rule":                   {caller: caller, status: 500},
		"cut":                            {options: all, caller: caller, status: 200, cut: true, want: true},
		"refused":                        {options: all, caller: caller, status: 429, problem: refusal, want: true},
		"refused, no rule":               {caller: caller, status: 429, problem: refusal},
		"the upstream's 4xx":             {options: all, caller: caller, status: 404},
		"the caller left":                {options: all, caller: caller, status: statusClientGone},
		"slow":                           {options: all, caller: caller, status: 200, took: 2 * time.Second, want: true},
		"nearly slow":                    {options: all, caller: caller, status: 200, took: 2*time.Second - 1},
		"slow, no rule":                  {caller: caller, status: 200, took: time.Hour},
		"stranger refused":               {options: all, status: 401, problem: refusal},
		"stranger failed":                {options: all, status: 500},
		"stranger slow":                  {options: all, status: 408, took: time.Hour},
		"stranger's flag":                {options: all, trace: exchange.Trace{Sampled: true}, status: 401},
		"stranger's trace id":            {options: half, trace: exchange.Trace{Span: out, Sampled: true}, status: 401},
		"stranger in the sample":         {options: half, trace: exchange.Trace{Span: in}, status: 401, want: true},
		"caller's flag decides, not its": {options: half, caller: caller, trace: exchange.Trace{Span: in}, status: 200},
	} {
		ex := &exchange.Exchange{Caller: tt.caller, Trace: tt.trace, Problem: tt.problem}
		e := ending{at: time.Now(), status: tt.status, duration: tt.took}
		if tt.cut {
			e.outcome = outcomeAborted
		}
		if got := exporting(tt.options).keeps(ex, &e); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
		tt.options.Export = false
		if NewTracing(tt.options).keeps(ex, &e) || (*Tracing)(nil).keeps(ex, &e) {
			t.Errorf("%s: kept with nowhere to go to", name)
		}
	}
}

func TestTraceURL(t *testing.T) {
	ex := &exchange.Exchange{Caller: &exchange.Caller{Name: "pos"}, Trace: exchange.NewTrace(), Problem: exchange.Refuse(exchange.QuotaExceeded, "")}
	want := fmt.Sprintf("https://ui.example/trace/%s?x=1", ex.Trace.ID)
	o := TracingOptions{Refused: true, URL: "https://ui.example/trace/{trace_id}?x=1"}
	if got := exporting(o).RefusalURL(ex, 429); got != want {
		t.Errorf("refused: %q", got)
	}
	if got := exporting(o).URL(ex.Trace.ID); got != want {
		t.Errorf("asked for: %q", got)
	}
	ex.Caller = nil
	if got := exporting(o).RefusalURL(ex, 401); got != "" {
		t.Errorf("a stranger's, which is not exported: %q", got)
	}
	if got := NewTracing(o).RefusalURL(ex, 429) + exporting(TracingOptions{Refused: true}).URL(ex.Trace.ID) + (*Tracing)(nil).URL(ex.Trace.ID); got != "" {
		t.Errorf("nowhere: %q", got)
	}
}
