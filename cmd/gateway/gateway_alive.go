package main

import (
	"context"
	"log/slog"
	"runtime"

	"iqgateway/internal/watchdog"
)

// maxStacks bounds what is written of all goroutines, in bytes.
const maxStacks = 256 << 10

// newWatchdog asks what every request passes. It never asks what lies beyond
// this process: a dependency that is away must not have a replica restarted.
func (g *gateway) newWatchdog() *watchdog.Watchdog {
	st := g.stores
	return watchdog.New(map[string]func(){
		"breakers":  func() { st.breakers.List() },
		"cache":     func() { st.cache.Stats() },
		"callers":   func() { st.callers.State() },
		"quota":     st.quotas.Answer,
		"tokens":    func() { g.current.Load().tokens.Status() },
		"upstreams": func() { st.upstreams.List() },
	}, g.stuck, st.loopPanicked(context.Background(), "watchdog"))
}

// stuck tells, with the stack of every goroutine, what will have this replica
// restarted: afterwards nobody can look any more.
func (g *gateway) stuck(part string) {
	stacks := make([]byte, maxStacks)
	stacks = stacks[:runtime.Stack(stacks, true)]
	g.log.Error("a part of this process answers no more, /livez says so", slog.String("part", part), slog.String("stacks", string(stacks)))
}
