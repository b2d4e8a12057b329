package cache

import (
	"context"
	"time"

	"iqgateway/internal/steady"
)

// Times of a claim in the fleet.
const (
	claimFor   = 3 * time.Second
	renewEvery = time.Second
	lookEvery  = 25 * time.Millisecond
	// waitForOther is how long another replica's fetch is waited for. Longer
	// ones cost one more fetch each.
	waitForOther = 5 * time.Second
)

// claim is the fleet's promise that nobody else fetches the same.
type claim struct {
	token string
	ended chan struct{} // closed when it is given back
}

// name is what the tier knows the flight's answer by.
func (k flightKey) name() string { return string(k.key) + "\x00" + k.selected }

// fromTier returns the answer that the fleet has, or nil: then the upstream is
// to be asked, with the fleet's claim if that could be had.
func (r *run) fromTier() *Object {
	if r.cache.o.Tier == nil {
		return nil
	}
	until := r.cache.now().Add(waitForOther)
	for r.ctx.Err() == nil && r.cache.now().Before(until) {
		entry, err := r.cache.o.Tier.Get(r.ctx, r.flight.key.name())
		if err != nil {
			r.cache.o.Hooks.tierFailed("get", err)
			return nil
		}
		if o := r.adopt(entry); o != nil {
			return o
		}
		if entry.Alone || r.cache.o.Separate {
			return nil
		}
		if !entry.Claimed {
			if won, err := r.claimed(); won || err != nil {
				return nil
			}
		}
		if r.flight.apart || r.question.want.NoCache && !r.question.want.Limited {
			return nil // what the other one brings would not do
		}
		select {
		case <-time.After(lookEvery):
		case <-r.ctx.Done():
		}
	}
	return nil
}

// behind is how long ago the log may have been heard of for a value of the tier
// to be believed: another replica may have dropped it since.
const behind = 150 * time.Millisecond

// current reports whether what others have dropped is known as it is now.
func (c *Cache) current(s *Service) bool {
	return !s.Writable || time.Since(c.feed.heard()) <= behind
}

// adopt makes a value of the tier this process's own, if it may be used. One
// that is stale serves to be confirmed.
func (r *run) adopt(entry Entry) *Object {
	c, q := r.cache, r.question
	now := c.now()
	o, err := decode(entry.Value, now.Add(-entry.Age), q.service.MaxObject)
	if err != nil || o.Key != q.key || !q.selection.matches(o) {
		return nil
	}
	o.Route, o.Tags = q.route, r.flight.tags
	if !c.index.adopt(o) || !c.current(q.service) {
		return nil
	}
	if r.news(o) {
		c.memory.put(o)
		return o
	}
	if q.stored == nil {
		own := *q
		own.stored = o
		r.question = &own
	}
	return nil
}

// claimed tries to become the one that fetches, and keeps the claim alive.
func (r *run) claimed() (won bool, err error) {
	token, ok, err := r.cache.o.Tier.Claim(r.ctx, r.flight.key.name(), claimFor)
	if err != nil {
		r.cache.o.Hooks.tierFailed("claim", err)
		return false, err
	}
	if !ok {
		return false, nil
	}
	c := &claim{token, make(chan struct{})}
	r.claim.Store(c)
	r.cache.work.Go(func() { steady.Try(func() { r.renew(c) }, r.panicked) })
	return true, nil
}

// renew keeps a claim. One that is lost costs the fleet one more fetch. When
// what the flight brings is dropped it is let go: who asks now would wait in
// vain.
func (r *run) renew(c *claim) {
	tick := time.NewTicker(renewEvery)
	defer tick.Stop()
	for {
		moved := r.cache.index.moved()
		if r.flight.dropped(r.cache.index) {
			r.release(0)
			return
		}
		select {
		case <-moved:
			continue
		case <-tick.C:
		case <-c.ended:
			return
		case <-r.ctx.Done():
			return
		}
		ok, err := r.cache.o.Tier.Renew(r.ctx, r.flight.key.name(), c.token, claimFor)
		if err == nil && !ok {
			return
		}
	}
}

// release gives the claim back; alone tells others not to wait for shared
// answers for a while.
func (r *run) release(alone time.Duration) {
	token := r.unclaim()
	if token == "" {
		return
	}
	ctx := context.WithoutCancel(r.ctx)
	steady.Try(func() { // this may be the end of a flight that has panicked
		if err := r.cache.o.Tier.Release(ctx, r.flight.key.name(), token, alone); err != nil {
			r.cache.o.Hooks.tierFailed("release", err)
		}
	}, r.panicked)
}

// unclaim ends the renewal of the claim and returns its token, once; "" = there
// is none.
func (r *run) unclaim() (token string) {
	c := r.claim.Swap(nil)
	if c == nil {
		return ""
	}
	close(c.ended)
	return c.token
}

// toTier gives an answer to the fleet, and ends the claim.
func (r *run) toTier(o *Object) {
	c := r.cache
	if c.o.Tier == nil || o.Born.Log == "" || c.index.dropped(o) || c.memory.outdone(o) {
		r.release(0)
		return
	}
	token := r.unclaim()
	now := c.now()
	ttl := o.Lifetime - currentAge(o, now) + max(o.WhileRevalidate, o.IfError)
	if ttl <= 0 {
		ttl = time.Second
	}
	ctx := context.WithoutCancel(r.ctx)
	if err := c.o.Tier.Put(ctx, r.flight.key.name(), encode(o, now), ttl, token); err != nil {
		c.o.Hooks.tierFailed("put", err)
	}
}
