package main

import (
	"context"
	"log/slog"
	"slices"

	"iqgateway/config"
	"iqgateway/observability"
	"iqgateway/override"
)

// This file tells what becomes of overrides: log lines, the audit log, metrics.

// outlasting are the overrides that go on when a configuration replaces the one
// before; the hashes tell which they are.
func (g *gateway) outlasting(before, hash string) []override.Held {
	held := g.stores.overrides.Current()
	if hash == before {
		return held
	}
	return slices.DeleteFunc(held, func(h override.Held) bool { return !h.Outlasts(hash) })
}

// endUntilReload ends what was to hold until the configuration changes.
func (g *gateway) endUntilReload(ctx context.Context, hash string) {
	out, err := g.stores.overrides.Reloaded(context.WithoutCancel(ctx), hash)
	if err != nil {
		g.stores.overridesFailed(err) //nolint:contextcheck // its log lines are of no request
	}
	for _, h := range out.Held {
		g.noteEnd(h, "the configuration has changed") //nolint:contextcheck // its log lines are of no request
	}
}

// overrideEnded tells that an override's time is over on this replica.
func (g *gateway) overrideEnded(h override.Held) { g.noteEnd(h, "its time is over") }

func (g *gateway) noteEnd(h override.Held, why string) {
	now := g.current.Load().cfg.Overridden(h.Key)
	g.stores.event(slog.LevelWarn, "an override has ended", slog.String("key", h.Key), slog.String("value", h.Value), slog.String("why", why), slog.String("now", now))
	g.stores.audit.Note(observability.AuditRecord{
		Event: observability.AuditOverride, Result: observability.AuditChanged, What: h.Key,
		Details: map[string]string{"value": h.Value, "reason": h.Reason, "by": h.By, "ended": why},
	})
}

func (s *stores) overrideStoreState(err error) {
	if err != nil {
		s.event(slog.LevelWarn, "overrides that are set elsewhere are not heard of; those that are known hold until they end", slog.String("error", err.Error()))
		return
	}
	s.event(slog.LevelInfo, "overrides are shared")
}

func (s *stores) overridesFull(full bool) {
	if full {
		s.event(slog.LevelWarn, "overrides that were set here while they could not be shared find no place among the 64 that the fleet may have: they hold on this replica alone until others are cleared")
		return
	}
	s.event(slog.LevelInfo, "overrides find a place again")
}

func (s *stores) overridesFailed(err error) {
	s.event(slog.LevelError, "overrides are not followed yet, which is tried again", slog.String("error", err.Error()))
}

func (s *stores) overridesPanicked(value any, stack []byte) {
	s.panicked(context.Background(), "panic in the overrides", value, stack)
}

// overrideStates are what gauges show: how many hold, by what may be overridden.
func (g *gateway) overrideStates() []observability.OverrideState {
	var all []observability.OverrideState
	for _, h := range g.stores.overrides.Current() {
		all = append(all, observability.OverrideState{Key: config.OverridePattern(h.Key), Until: h.Until})
	}
	return all
}
