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
		m.panics.Add(ctx, 1)
	}
}

// OnPanic has panics in what gauges are read from told to f; nil = silent. It
// is to be called before the first scrape.
func (m *Metrics) OnPanic(f steady.Panicked) { m.onPanic = f }

// register has read called at each scrape. That happens in goroutines of the
// Prometheus client, where a panic would end the process: here it costs the
// gauges of this one read.
func (m *Metrics) register(read func(metric.Observer), gauges ...metric.Observable) error {
	_, err := m.meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		steady.Try(func() { read(o) }, m.onPanic)
		return nil
	}, gauges...)
	return err
}

// PanicAttrs are what a log line says of a panic. Of a value that is no text
// only the type is told: a header, a request or a body may hold a secret.
//
// An error with a Thrown method carries a panic from another goroutine.
func PanicAttrs(value any, stack []byte) []slog.Attr {
	if carried, ok := value.(interface{ Thrown() (any, []byte) }); ok {
		value, stack = carried.Thrown()
	}
	return []slog.Attr{slog.String("panic", panicText(value)), slog.String(stackKey, string(stack))}
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
