package main

import (
	"log/slog"

	"iqgateway/breaker"
	breakerstore "iqgateway/breaker/redisstore"
)

// This file turns what breakers and retries report into metrics and log lines.

func (s *stores) breakerOptions(replica string) breaker.Options {
	o := breaker.Options{Replica: replica, Hooks: breaker.Hooks{
		Transition: s.breakerChanged, StoreState: s.breakerStoreState, Panicked: s.breakerPanicked,
	}}
	if s.redis != nil {
		o.Store = breakerstore.New(s.redis, breakerstore.Options{Hooks: breakerstore.Hooks{Discarded: s.breakerDiscarded}})
	}
	return o
}

// breakerStoreState tells that replicas stop, or begin again, to hear of each
// other's breakers.
func (s *stores) breakerStoreState(err error) {
	if err != nil {
		s.event(slog.LevelWarn, "replicas do not hear of each other's breakers: each counts alone", slog.String("error", err.Error()))
		return
	}
	s.event(slog.LevelInfo, "replicas hear of each other's breakers again")
}

func (s *stores) breakerDiscarded(field, reason string) { s.valueDiscarded("breaker "+field, reason) }

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
