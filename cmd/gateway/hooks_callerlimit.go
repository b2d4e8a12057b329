package main

import (
	"context"
	"log/slog"
	"time"

	"iqgateway/callerlimit"
	callerstore "iqgateway/callerlimit/redisstore"
	"iqgateway/observability"
)

// This file makes the limits of callers, and turns what they report into metrics
// and log lines.

// callerLimitOptions: counts are no secret, so that they are shared through
// Redis without keys too.
func (s *stores) callerLimitOptions(replica string) callerlimit.Options {
	o := callerlimit.Options{Replica: replica, Fleet: s.fleet.Size, Hooks: callerlimit.Hooks{
		Refused: s.callerRefused, Asked: s.callerAsked, StoreState: s.callerStoreState, Panicked: s.callerPanicked,
	}}
	if s.redis != nil {
		o.Store = callerstore.New(s.redis, callerstore.Options{Hooks: callerstore.Hooks{Discarded: s.callerStateDiscarded}})
	}
	return o
}

func (s *stores) callerRefused(caller string, reason callerlimit.Reason) {
	s.metrics.CallerRefused(context.Background(), caller, string(reason))
}

func (s *stores) callerAsked(_ string, took time.Duration, err error) {
	outcome := "ok"
	if err != nil {
		outcome = "failed"
	}
	s.metrics.CallerLimitAsked(context.Background(), outcome, took)
}

// callerStoreState tells that a caller's limit is no longer counted over the
// fleet, or is again.
func (s *stores) callerStoreState(caller string, err error) {
	if err != nil {
		s.event(slog.LevelWarn, "a caller's limit is counted by this replica alone: it has its part of it",
			slog.String("caller", caller), slog.String("error", err.Error()))
		return
	}
	s.event(slog.LevelInfo, "a caller's limit is counted over the fleet again", slog.String("caller", caller))
}

func (s *stores) callerPanicked(caller string, value any, stack []byte) {
	s.panicked(context.Background(), "panic in the limits of callers", value, stack, slog.String("caller", caller))
}

func (s *stores) callerStateDiscarded(reason string) { s.valueDiscarded("caller limit", reason) }

// observeCallers has the gauges read from the limits.
func (s *stores) observeCallers() error {
	return s.metrics.ObserveCallers(func() []observability.CallerLoad {
		var all []observability.CallerLoad
		for _, c := range s.callers.State() {
			load := observability.CallerLoad{Caller: c.Caller, InFlight: c.InFlight, Concurrency: c.Limit.Concurrency}
			if c.Limit.Per > 0 {
				load.Rate = float64(c.Limit.Tokens) / c.Limit.Per.Seconds()
			}
			all = append(all, load)
		}
		return all
	})
}
