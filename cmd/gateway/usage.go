package main

import (
	"crypto/rand"
	"log/slog"
	"slices"

	"iqgateway/config"
	"iqgateway/internal/exchange"
	"iqgateway/proxy"
	"iqgateway/usage"
	usagestore "iqgateway/usage/redisstore"
)

// openUsage makes the book of what callers use. It needs no keys: counts are no
// secret, and names are hidden.
func (s *stores) openUsage(cfg *config.Config) {
	o := usage.Options{Writer: rand.Text(), Store: usage.NewFiles(cfg.DataDir), Failed: s.usageFailed}
	if s.redis != nil {
		o.Store = usagestore.New(s.redis)
	}
	s.usage = usage.NewBook(o)
}

// usageFailed tells where the fault is ours; that Redis is away is told by others.
func (s *stores) usageFailed(err error) {
	level := slog.LevelWarn
	if s.redis != nil {
		level = slog.LevelDebug
	}
	s.event(level, "usage cannot be written, which is tried again", slog.String("error", err.Error()))
}

// namesOf are what usage is told apart by.
func namesOf(ex *exchange.Exchange) usage.Names {
	n := usage.Names{Credential: ex.Credential}
	if ex.Target != nil {
		n.Environment, n.Service = ex.Target.Environment, ex.Target.Service
	}
	if ex.Caller != nil {
		n.Caller = ex.Caller.Name
	}
	return n
}

// usedBy counts an exchange that ended. Its attempts are counted where they end, as
// some outlast it and others have none.
func (s *stores) usedBy(ex *exchange.Exchange, bytesOut int64) {
	c := usage.Counts{Requests: 1, BytesOut: bytesOut}
	if ex.Problem != nil {
		c.Refusals = 1
	}
	if r := ex.Cache.Result; (r == exchange.CacheHit || r == exchange.CacheStale) && ex.Problem == nil {
		c.Hits = 1
	}
	s.usage.Count(namesOf(ex), c)
}

// usedByAttempt counts an attempt that ended.
func (s *stores) usedByAttempt(ex *exchange.Exchange, info proxy.AttemptInfo) {
	c := usage.Counts{Attempts: 1 + int64(info.Resends)}
	if ex.QuotaBucket != "" {
		c.Tokens = 1
	}
	s.usage.Count(namesOf(ex), c)
}

// usageNames are all that the configuration can have counted.
func usageNames(cfg *config.Config) []string {
	names := cfg.EnvironmentNames()
	for s := range cfg.Proxied() {
		names = append(names, s.Name)
	}
	for name := range cfg.Callers {
		names = append(names, name)
	}
	for name := range cfg.Credentials {
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
