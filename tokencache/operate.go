package tokencache

import (
	"context"
	"time"
)

// forgivenLately: an operator's word reaches all replicas at about the same
// time; the second one must not wipe out what followed the first.
const forgivenLately = 5 * time.Second

// Retry forgets the failures and refusals of a credential, here and for all
// replicas, so that the next request that needs a token leads to an attempt.
// The credential is named as in the configuration, or environment/name where
// the name alone is ambiguous: else all are meant. It returns false if there
// is none.
func (c *Cache) Retry(ctx context.Context, credential string) bool {
	return c.each(credential, func(e *entry) { e.retry(ctx) })
}

// Invalidate drops the token of a credential (named as for [Cache.Retry]),
// here and for all replicas that look into the Store from now on. The next
// request fetches another; requests under way end with the one they have. It
// returns false if there is no such credential.
func (c *Cache) Invalidate(ctx context.Context, credential string) bool {
	return c.each(credential, func(e *entry) { e.invalidate(ctx) })
}

func (c *Cache) each(credential string, act func(*entry)) (found bool) {
	for _, e := range c.inUse() {
		if credential == e.id.Credential || credential == e.id.String() {
			found = true
			act(e)
		}
	}
	return found
}

func (e *entry) retry(ctx context.Context) {
	e.mu.Lock()
	key := e.key
	e.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	store, now := e.cache.options.Store, time.Now()
	if store != nil {
		if s, err := store.Load(ctx, key); err == nil && now.Sub(s.Forgiven) < forgivenLately {
			e.learn(ctx, key, s, now)
			return
		}
	}
	e.forgive(now)
	if store == nil {
		return
	}
	if err := store.Forget(ctx, key, ForgetHistory); err != nil {
		e.cache.options.Hooks.storeFailed(e.id, "forget", err)
	}
}

// forgive forgets what was until now, here and on file.
func (e *entry) forgive(now time.Time) {
	e.mu.Lock()
	e.forgiven = now
	e.setHistoryLocked(merge(e.history, History{}, now, now))
	if !e.onFile.read { // an earlier process may have left one
		e.onFile = fileState{read: true, written: true}
	}
	e.mu.Unlock()
	e.tidyFile()
}

func (e *entry) invalidate(ctx context.Context) {
	e.mu.Lock()
	key, known, dropped := e.key, e.seen.generation, e.current.Swap(nil)
	e.droppedAt = time.Now()
	e.mu.Unlock()
	store := e.cache.options.Store
	if store == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	// Another replica that got the same order earlier may have a new token
	// already.
	s, err := store.Load(ctx, key)
	if err == nil && dropped != nil && dropped.key == key && s.Generation > known {
		return
	}
	if err := store.Forget(ctx, key, ForgetToken); err != nil {
		e.cache.options.Hooks.storeFailed(e.id, "forget", err)
	}
}
