package observability

import (
	"context"
	"log/slog"

	"iqgateway/internal/exchange"
)

// ExchangeAttr names an exchange, or background work, and its trace in a line. Of
// nil, and of one without a trace, nothing is written.
func ExchangeAttr(ex *exchange.Exchange) slog.Attr {
	if ex == nil || ex.Trace.ID == (exchange.TraceID{}) {
		return slog.Attr{Value: slog.GroupValue()}
	}
	ids := appendText(nil, "request_id", ex.ID) // background work has none
	ids = append(ids, slog.String("trace_id", ex.Trace.ID.String()), slog.String("span_id", ex.Trace.Span.String()))
	return slog.Attr{Value: slog.GroupValue(ids...)}
}

// inExchange has lines that are written within an exchange name it, before what
// they tell.
type inExchange struct{ slog.Handler }

// Handle implements [slog.Handler].
func (h inExchange) Handle(ctx context.Context, r slog.Record) error {
	ex := exchange.From(ctx)
	if ex.Trace.ID == (exchange.TraceID{}) {
		return h.Handler.Handle(ctx, r)
	}
	named := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	named.AddAttrs(ExchangeAttr(ex))
	r.Attrs(func(a slog.Attr) bool {
		named.AddAttrs(a)
		return true
	})
	return h.Handler.Handle(ctx, named)
}

// WithAttrs implements [slog.Handler].
func (h inExchange) WithAttrs(attrs []slog.Attr) slog.Handler {
	return inExchange{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements [slog.Handler].
func (h inExchange) WithGroup(name string) slog.Handler {
	return inExchange{h.Handler.WithGroup(name)}
}
