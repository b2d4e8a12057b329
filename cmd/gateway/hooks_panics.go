package main

import (
	"context"
	"log/slog"

	"iqgateway/observability"
)

// panicked counts and logs a panic outside of requests; those in requests are
// the observe stage's.
func (s *stores) panicked(ctx context.Context, message string, value any, stack []byte, attrs ...slog.Attr) {
	s.metrics.Panicked(ctx)
	s.log.LogAttrs(ctx, slog.LevelError, message, append(attrs, observability.PanicAttrs(value, stack)...)...)
}

func (s *stores) gaugePanicked(value any, stack []byte) {
	s.panicked(context.Background(), "panic while metrics were read", value, stack)
}

func (s *stores) beatPanicked(value any, stack []byte) {
	s.panicked(context.Background(), "panic in the heartbeat of a token's claim", value, stack)
}

func (s *stores) commandPanicked(value any, stack []byte) {
	s.panicked(context.Background(), "panic while commands of the fleet were followed", value, stack)
}

func (s *stores) pingPanicked(value any, stack []byte) {
	s.panicked(context.Background(), "panic in a ping", value, stack)
}
