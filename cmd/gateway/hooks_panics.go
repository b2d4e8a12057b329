package main

import (
	"context"
	"log/slog"

	"iqgateway/observability"
)

// panicked counts and logs a panic outside of requests; those in requests are
// the observe stage's.
func (s *stores) panicked(message string, value any, stack []byte, attrs ...slog.Attr) {
	s.metrics.Panicked(context.Background())
	s.event(slog.LevelError, message, append(attrs, observability.PanicAttrs(value, stack)...)...)
}

func (s *stores) gaugePanicked(value any, stack []byte) {
	s.panicked("panic while metrics were read", value, stack)
}

func (s *stores) beatPanicked(value any, stack []byte) {
	s.panicked("panic in the heartbeat of a token's claim", value, stack)
}

func (s *stores) commandPanicked(value any, stack []byte) {
	s.panicked("panic while commands of the fleet were followed", value, stack)
}
