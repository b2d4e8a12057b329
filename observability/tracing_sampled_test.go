package observability_test

import (
	"testing"

	"go.opentelemetry.io/otel/trace"

	"iqgateway/internal/exchange"
	"iqgateway/observability"
)

// An attempt is measured before it is known how its exchange ends: its exemplar
// names a trace only where that is certain to be exported.
func TestSampled(t *testing.T) {
	known := &exchange.Caller{Name: "till"}
	for name, tt := range map[string]struct {
		options observability.TracingOptions
		sampled bool
		caller  *exchange.Caller
		want    bool
	}{
		"sampled":        {observability.TracingOptions{Export: true, Exemplars: true}, true, known, true},
		"not yet":        {observability.TracingOptions{Export: true, Exemplars: true, Errors: true}, false, known, false},
		"by a stranger":  {observability.TracingOptions{Export: true, Exemplars: true}, true, nil, false},
		"not exported":   {observability.TracingOptions{Exemplars: true}, true, known, false},
		"without points": {observability.TracingOptions{Export: true}, true, known, false},
	} {
		ex := &exchange.Exchange{Trace: exchange.NewTrace(), Caller: tt.caller}
		ex.Trace.Sampled = tt.sampled
		tt.options.Traces = observability.NewTraces(observability.TracesOptions{})
		got := trace.SpanContextFromContext(observability.NewTracing(tt.options).Sampled(t.Context(), ex))
		if got.IsValid() != tt.want || tt.want && got.TraceID() != trace.TraceID(ex.Trace.ID) {
			t.Errorf("%s: %v", name, got)
		}
	}
	if got := (*observability.Tracing)(nil).Sampled(t.Context(), &exchange.Exchange{}); got != t.Context() {
		t.Error("without tracing the context is another one")
	}
}
