package redisstore

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"time"

	"iqgateway/internal/steady"
	"iqgateway/tokencache"
)

// claim is one held claim.
type claim struct {
	store *Store
	keys  keys
	owner string
	fence uint64
	clock measured // of the claim; what is written later counts from it

	stop     context.CancelFunc // ends the heartbeat
	stopped  chan struct{}      // closed when it has ended
	released sync.Once
}

// Claim implements tokencache.Store. Claims of one process exclude each other
// as those of several do. After an error the claim may have been made: the next
// Claim of that key by this Store finds it.
func (s *Store) Claim(ctx context.Context, key tokencache.StoreKey) (tokencache.Claim, tokencache.Shared, error) {
	k := s.keys(key)
	owner, err := s.owner(k)
	if err != nil {
		return nil, tokencache.Shared{}, err
	}
	v, err := s.view(ctx, "token.claim", k, s.scripts.claim, owner, s.options.LockTTL.Milliseconds())
	if err != nil {
		s.remember(k, owner)
		return nil, tokencache.Shared{}, err
	}
	shared := s.shared(k, v)
	if v.granted == 0 {
		return nil, shared, nil
	}
	c := &claim{store: s, keys: k, owner: owner, fence: v.granted, clock: v.clock}
	c.beat(context.WithoutCancel(ctx))
	return c, shared, nil
}

// owner is a new name for a claim, or that of one whose answer was lost.
func (s *Store) owner(k keys) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return "", ErrClosed
	}
	if owner, ok := s.ambiguous[k.lock]; ok {
		delete(s.ambiguous, k.lock) // one claim alone may use it
		return owner, nil
	}
	return rand.Text(), nil
}

func (s *Store) remember(k keys, owner string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ambiguous[k.lock] = owner
}

// Grant implements tokencache.Claim.
func (c *claim) Grant(ctx context.Context, token tokencache.SharedToken, history tokencache.History) (uint64, error) {
	plain, expires := encodeToken(token, c.clock)
	sealedToken, err := c.seal(kindToken, c.keys.token, plain)
	if err != nil {
		return 0, err
	}
	sealedHistory, err := c.seal(kindHistory, c.keys.history, encodeHistory(history, c.clock))
	if err != nil {
		return 0, err
	}
	ok, err := c.store.write(ctx, "token.grant", c.keys, c.store.scripts.grant, c.fence, expires, sealedToken, sealedHistory)
	if err := outcome(ok, err); err != nil {
		return 0, err
	}
	return c.fence, nil
}

// Fail implements tokencache.Claim.
func (c *claim) Fail(ctx context.Context, history tokencache.History) error {
	sealed, err := c.seal(kindHistory, c.keys.history, encodeHistory(history, c.clock))
	if err != nil {
		return err
	}
	ok, err := c.store.write(ctx, "token.fail", c.keys, c.store.scripts.fail, c.fence, sealed)
	return outcome(ok, err)
}

func outcome(ok bool, err error) error {
	if err == nil && !ok {
		return tokencache.ErrClaimLost
	}
	return err
}

func (c *claim) seal(kind, name string, plain []byte) (string, error) {
	sealed, err := c.store.conn.Seal(kind, name, c.fence, plain)
	if err != nil {
		return "", fmt.Errorf("sealing a %s: %w", kind, err)
	}
	if len(sealed) > maxValue {
		return "", fmt.Errorf("a sealed %s of %d bytes is more than the %d that are shared", kind, len(sealed), maxValue)
	}
	return sealed, nil
}

// Release implements tokencache.Claim. Where Redis does not answer, the lock
// runs out.
func (c *claim) Release() {
	c.released.Do(func() {
		c.stop()
		<-c.stopped
		// A caller that gives up must still give back.
		_, _ = c.store.write(context.Background(), "token.release", c.keys, c.store.scripts.release, c.owner, c.fence)
	})
}

// beat keeps the claim alive until it is released or found lost, or the Store
// is closed.
func (c *claim) beat(ctx context.Context) {
	s := c.store
	ctx, cancel := context.WithCancel(ctx)
	c.stop, c.stopped = cancel, make(chan struct{})
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		close(c.stopped)
		return
	}
	s.beats.Go(func() {
		defer close(c.stopped)
		steady.Try(func() { c.beatUntil(ctx) }, s.options.Hooks.panicked) // the lock then runs out
	})
}

func (c *claim) beatUntil(ctx context.Context) {
	s := c.store
	ticker := time.NewTicker(s.options.LockTTL / 3)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.closing:
			return
		case <-ticker.C:
		}
		ok, err := s.write(ctx, "token.extend", c.keys, s.scripts.extend, c.owner, c.fence, s.options.LockTTL.Milliseconds())
		if err == nil && !ok {
			s.options.Hooks.lost()
			return
		}
	}
}
