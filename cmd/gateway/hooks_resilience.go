package main

import (
	"context"
	"log/slog"

	"iqgateway/breaker"
	breakerstore "iqgateway/breaker/redisstore"
	"iqgateway/observability"
	"iqgateway/retry"
)

// This file turns what breakers and retries report into metrics and log lines.

func (s *stores) breakerOptions(replica string) breaker.Options {
	o := breaker.Options{Replica: replica, Hooks: breaker.Hooks{
		Transition: s.breakerChanged, Refused: s.breakerRefused, Counted: s.breakerCounted,
		StoreState: s.breakerStoreState, Panicked: s.breakerPanicked,
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
	s.metrics.BreakerChanged(context.Background(), breakerName(t.Key), string(t.From), string(t.To), string(t.Reason))
	level := slog.LevelInfo
	if t.To == breaker.Open && t.From == breaker.Closed {
		level = slog.LevelWarn
	}
	s.event(level, "circuit breaker", slog.String("breaker", t.Key.String()), slog.String("from", string(t.From)),
		slog.String("to", string(t.To)), slog.String("reason", string(t.Reason)), slog.String("by", t.By))
}

func (s *stores) breakerPanicked(value any, stack []byte) {
	s.panicked(context.Background(), "panic in the breakers", value, stack)
}

func breakerName(k breaker.Key) observability.BreakerName {
	return observability.BreakerName{Environment: k.Environment, Service: k.Service, Bucket: k.Bucket}
}

func (s *stores) breakerRefused(r breaker.Refusal) {
	s.metrics.BreakerRefused(context.Background(), breakerName(r.Key), string(r.Reason))
}

func (s *stores) breakerCounted(c breaker.Counted) {
	s.metrics.BreakerCounted(context.Background(), breakerName(c.Key), string(c.Result), c.Cause)
}

// observeBreakers has the gauge read from the breakers that have ever changed
// their state, or are in use: a catalogue has hundreds that nobody asks.
func (s *stores) observeBreakers() error {
	states := []string{string(breaker.Closed), string(breaker.Open), string(breaker.HalfOpen)}
	return s.metrics.ObserveBreakers(states, func() []observability.BreakerState {
		var all []observability.BreakerState
		for _, b := range s.breakers.List() {
			if b.Reason == "" && b.Successes+b.Failures == 0 {
				continue
			}
			all = append(all, observability.BreakerState{Breaker: breakerName(b.Key), State: string(b.State)})
		}
		return all
	})
}

func (s *stores) retryHooks() retry.Hooks {
	return retry.Hooks{Repeated: s.retried, Stopped: s.retryStopped}
}

func (s *stores) retried(r retry.RepeatInfo) {
	s.metrics.Retried(context.Background(), r.Key.Environment, r.Key.Service, string(r.Reason))
}

func (s *stores) retryStopped(k retry.Key, why retry.Result) {
	s.metrics.RetryStopped(context.Background(), k.Environment, k.Service, string(why))
}
