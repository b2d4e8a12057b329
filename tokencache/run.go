package tokencache

import (
	"context"
	"runtime/debug"
	"sync"
	"time"
)

const (
	tendEvery  = time.Second
	cleanEvery = time.Hour
)

// Run looks after what changes while no request asks for a token, until ctx
// ends: secrets that rotate, a credential that is barred until an operator
// speaks to another replica, a refresh token that another replica has
// exchanged. Everything but these works without it.
func (c *Cache) Run(ctx context.Context) {
	ticker := time.NewTicker(tendEvery)
	defer ticker.Stop()
	var tending sync.WaitGroup
	defer tending.Wait()
	var cleaned time.Time
	for {
		if now := time.Now(); cleaned.IsZero() || now.Sub(cleaned) >= cleanEvery {
			cleaned = now
			c.clean(now)
		}
		for _, e := range c.inUse() {
			if e.tending.CompareAndSwap(false, true) {
				tending.Go(func() { e.tend(ctx) })
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

func (c *Cache) clean(now time.Time) {
	var used []StoreKey
	for _, e := range c.inUse() {
		e.mu.Lock()
		used = append(used, e.key)
		e.mu.Unlock()
	}
	if err := c.dir().clean(now, used); err != nil {
		c.options.Hooks.historyFailed(ID{}, err)
	}
}

// tend does what is due for one credential.
func (e *entry) tend(ctx context.Context) {
	defer e.tending.Store(false)
	defer e.survive()
	reread, look := e.due(time.Now())
	if reread {
		e.reread(ctx, settleInRun)
	}
	if look && e.load(ctx) {
		e.remindAnew(ctx)
	}
	if t := e.current.Load(); t != nil {
		e.tellAccepted(ctx, t)
	}
	e.replaceOutdated(ctx)
}

// survive, deferred, ends what panicked (a hook, Reread, a store) and not the
// process.
func (e *entry) survive() {
	if value := recover(); value != nil {
		e.cache.options.Hooks.panicked(e.id, value, debug.Stack())
	}
}

// due says whether the secrets are to be read again, and whether the Store is
// to be looked at.
func (e *entry) due(now time.Time) (reread, look bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.retired {
		return false, false
	}
	reread = e.cred.Reread != nil && now.Sub(e.rereadAt) >= lookEvery
	switch {
	case e.cache.options.Store == nil:
	case e.cred.Grant == GrantRefreshToken && e.current.Load() != nil:
		look = true
	case len(e.history.Refusals) > 0 && now.Sub(e.lookedAt) >= lookEvery:
		look = true
	}
	if look {
		e.lookedAt = now
	}
	return reread, look
}

// load learns what the Store shows, and whether it lacks refusals.
func (e *entry) load(ctx context.Context) (lacks bool) {
	e.mu.Lock()
	key := e.key
	e.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	asked := time.Now()
	s, err := e.cache.options.Store.Load(ctx, key)
	if err != nil {
		e.cache.options.Hooks.storeFailed(e.id, "load", err)
		return false
	}
	return e.learn(ctx, key, s, asked)
}

// replaceOutdated fetches a token with the new secrets while that of the old
// ones serves.
func (e *entry) replaceOutdated(ctx context.Context) {
	e.mu.Lock()
	defer e.mu.Unlock()
	t := e.current.Load()
	if t != nil && t.key != e.key && e.flight == nil {
		_ = e.startLocked(ctx, time.Now(), ReasonRotated) // after a failure later
	}
}
