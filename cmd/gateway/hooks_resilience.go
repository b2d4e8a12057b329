package main

import (
	"log/slog"

	"iqgateway/breaker"
)

// This file turns what breakers and retries report into metrics and log lines.

func (s *stores) breakerOptions(replica string) breaker.Options {
	return breaker.Options{Replica: replica, Hooks: breaker.Hooks{
		Transition: s.breakerChanged, Panicked: s.breakerPanicked,
	}}
}

func (s *stores) breakerChanged(t breaker.Transition) {
	level := slog.LevelInfo
	if t.To == breaker.Open && t.From == breaker.Closed {
		level = slog.LevelWarn
	}
	s.event(level, "circuit breaker", slog.String("breaker", t.Key.String()), slog.String("from", string(t.From)),
		slog.String("to", string(t.To)), slog.String("reason", string(t.Reason)), slog.String("by", t.By))
}

func (s *stores) breakerPanicked(value any, stack []byte) {
	s.event(slog.LevelError, "panic in the breakers", slog.Any("panic", value), slog.String("stack", string(stack)))
}
