package observability

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"

	"go.opentelemetry.io/otel/metric"

	"iqgateway/internal/steady"
)

// Panicked counts a panic that was recovered.
func (m *Metrics) Panicked(ctx context.Context) {
	if m != nil {
		m.config.panics.add(ctx, 1)
	}
}

// OnPanic has panics in what gauges are read from told to f; nil = silent. It
// is to be called before the first scrape.
func (m *Metrics) OnPanic(f steady.Panicked) { m.onPanic = f }

// register has read called at each scrape. That happens in goroutines of the
// Prometheus client, where a panic would end the process: here it costs what
// this one read would have told.
func (m *Metrics) register(what string, read func(metric.Observer)) error {
	_, err := m.meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		steady.Try(func() { read(o) }, m.onPanic)
		return nil
	}, m.observables...)
	if err != nil {
		return fmt.Errorf("observing %s: %w", what, err)
	}
	return nil
}

// PanicAttrs are what a log line says of a panic. Of a value that is no text
// only the type is told: a header, a request or a body may hold a secret.
//
// An error with a Thrown method carries a panic from another goroutine.
func PanicAttrs(value any, stack []byte) []slog.Attr {
	if carried, ok := value.(interface{ Thrown() (any, []byte) }); ok {
		value, stack = carried.Thrown()
	}
	return []slog.Attr{slog.String(panicKey, panicText(value)), slog.String(stackKey, string(stack))}
}

func panicText(value any) string {
	switch v := value.(type) {
	case runtime.Error:
		return v.Error()
	case error:
		return v.Error()
	case string:
		return v
	default:
		return fmt.Sprintf("%T", v)
	}
}
