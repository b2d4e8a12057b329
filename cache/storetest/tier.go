package storetest

import (
	"bytes"
	"context"
	"strconv"
	"sync"
	"time"

	"iqgateway/cache"
)

// Tier is a cache.Tier in memory. Several replicas of a test share one.
type Tier struct {
	Fault

	mu      sync.Mutex
	tokens  int
	entries map[string]*tierEntry
}

type tierEntry struct {
	value   []byte
	put     time.Time
	expires time.Time
	token   string
	claimed time.Time // until
	alone   time.Time // until
}

// NewTier returns an empty tier.
func NewTier() *Tier { return &Tier{entries: map[string]*tierEntry{}} }

// Lose forgets everything.
func (t *Tier) Lose() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.entries)
}

// Len returns how many values there are.
func (t *Tier) Len() (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	for _, e := range t.entries {
		if e.value != nil && now.Before(e.expires) {
			n++
		}
	}
	return n
}

// Get implements cache.Tier.
func (t *Tier) Get(ctx context.Context, name string) (found cache.Entry, err error) {
	err = t.do(ctx, false, name, func(e *tierEntry, now time.Time) {
		if e.value != nil && now.Before(e.expires) {
			found.Value, found.Age = bytes.Clone(e.value), now.Sub(e.put)
		}
		found.Claimed, found.Alone = e.isClaimed(now), now.Before(e.alone)
	})
	if err != nil {
		return cache.Entry{}, err
	}
	return found, nil
}

// Claim implements cache.Tier.
func (t *Tier) Claim(ctx context.Context, name string, lasting time.Duration) (token string, ok bool, err error) {
	err = t.do(ctx, true, name, func(e *tierEntry, now time.Time) {
		if e.isClaimed(now) {
			return
		}
		t.tokens++
		token, ok = strconv.Itoa(t.tokens), true
		e.token, e.claimed = token, now.Add(lasting)
	})
	if err != nil {
		return "", false, err
	}
	return token, ok, nil
}

// Renew implements cache.Tier.
func (t *Tier) Renew(ctx context.Context, name, token string, lasting time.Duration) (ok bool, err error) {
	err = t.do(ctx, true, name, func(e *tierEntry, now time.Time) {
		if ok = e.isClaimed(now) && e.token == token; ok {
			e.claimed = now.Add(lasting)
		}
	})
	return ok && err == nil, err
}

// Put implements cache.Tier.
func (t *Tier) Put(ctx context.Context, name string, value []byte, ttl time.Duration, token string) error {
	return t.do(ctx, true, name, func(e *tierEntry, now time.Time) {
		e.value, e.put, e.expires = bytes.Clone(value), now, now.Add(ttl)
		e.end(token)
	})
}

// Release implements cache.Tier.
func (t *Tier) Release(ctx context.Context, name, token string, alone time.Duration) error {
	return t.do(ctx, true, name, func(e *tierEntry, now time.Time) {
		e.end(token)
		if alone > 0 {
			e.alone = now.Add(alone)
		}
	})
}

// Delete implements cache.Tier.
func (t *Tier) Delete(ctx context.Context, name string) error {
	return t.do(ctx, true, name, func(e *tierEntry, _ time.Time) { e.value = nil })
}

func (t *Tier) do(ctx context.Context, writes bool, name string, what func(e *tierEntry, now time.Time)) error {
	if err := t.begin(ctx, writes); err != nil {
		return err
	}
	t.mu.Lock()
	e := t.entries[name]
	if e == nil {
		e = &tierEntry{}
	}
	now := time.Now()
	what(e, now)
	if e.isUseful(now) {
		t.entries[name] = e
	} else {
		delete(t.entries, name)
	}
	t.mu.Unlock()
	return t.end(ctx)
}

func (e *tierEntry) isClaimed(now time.Time) bool { return e.token != "" && now.Before(e.claimed) }

func (e *tierEntry) isUseful(now time.Time) bool {
	return e.value != nil && now.Before(e.expires) || e.isClaimed(now) || now.Before(e.alone)
}

// end ends a claim, of its own token only.
func (e *tierEntry) end(token string) {
	if token != "" && e.token == token {
		e.token = ""
	}
}
