package callerlimit

import (
	"fmt"
	"net/http"
	"time"

	"iqgateway/internal/exchange"
)

// least is what a refused caller is told to wait at least.
const least = time.Second

// Stage returns the inbound stage that takes one token of the caller, and holds
// one of its slots until the handler behind it has returned. Where one of them
// is missing it refuses at once, with CallerTooFast or CallerBusy: a caller that
// waits for itself would only take memory.
//
// It needs the exchange's Caller; callers without a limit pass for nothing.
func (s *Set) Stage(refuse func(http.ResponseWriter, *http.Request, error)) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			who := exchange.From(r.Context()).Caller
			if who == nil {
				next.ServeHTTP(w, r)
				return
			}
			c := s.callers[who.Name]
			if c == nil {
				next.ServeHTTP(w, r)
				return
			}
			if reason, wait := c.take(); reason != "" {
				s.owner.options.Hooks.refused(c.name, reason)
				refuse(w, r, c.problem(reason, wait))
				return
			}
			defer c.free()
			next.ServeHTTP(w, r)
		})
	}
}

// problem tells a caller which of its limits it has met.
func (c *caller) problem(reason Reason, wait time.Duration) *exchange.Problem {
	c.mu.Lock()
	limit := c.local.limit
	c.mu.Unlock()
	if reason == ReasonConcurrency {
		p := exchange.Refuse(exchange.CallerBusy, fmt.Sprintf(
			"You (%s) may have %d requests under way at once (rate_limit.concurrency), and have as many as this replica may take of them. Nothing was sent upstream.",
			c.name, limit.Concurrency))
		p.RetryAfter = least
		p.Extra = map[string]any{"limit": limit.Concurrency}
		return p
	}
	p := exchange.Refuse(exchange.CallerTooFast, fmt.Sprintf(
		"You (%s) may send %d requests per %s, and %d at once (rate_limit.rate, rate_limit.burst), whether or not they are answered from the cache. Nothing was sent upstream.",
		c.name, limit.Tokens, spell(limit.Per), limit.Burst))
	p.RetryAfter = max(least, wait+time.Duration(c.owner.options.Random()*float64(wait)/5)) // not all at once
	p.Extra = map[string]any{"limit": limit.Tokens, "per_seconds": limit.Per.Seconds(), "burst": limit.Burst}
	return p
}

// spell writes the usual spans as people say them.
func spell(d time.Duration) string {
	switch d {
	case time.Second:
		return "second"
	case time.Minute:
		return "minute"
	case time.Hour:
		return "hour"
	default:
		return d.String()
	}
}
