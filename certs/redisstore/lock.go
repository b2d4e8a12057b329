package redisstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"iqgateway/internal/redisconn"
	"iqgateway/internal/steady"
)

// lockPoll is how often a lock of somebody else is asked for again.
const lockPoll = 250 * time.Millisecond

// ErrClosed is returned for locks of a [Store] that was closed.
var ErrClosed = errors.New("the certificate store is closed")

// held is one lock of this process.
type held struct {
	key   string
	owner string // random: no two holders ever have the same
	stop  context.CancelFunc
	ended chan struct{}
}

// Lock implements certmagic.Locker. A lock of a process that was killed ends
// after Options.LockTTL, whatever lease was asked for.
func (s *Store) Lock(ctx context.Context, name string) error {
	owner := rand.Text()
	for {
		got, err := s.take(ctx, name, owner)
		switch {
		case err != nil:
			return err
		case got:
			return nil
		case !steady.Pause(ctx, lockPoll):
			return ctx.Err()
		}
	}
}

// TryLock implements certmagic.TryLocker.
func (s *Store) TryLock(ctx context.Context, name string) (bool, error) {
	return s.take(ctx, name, rand.Text())
}

func (s *Store) take(ctx context.Context, name, owner string) (bool, error) {
	key := s.lockKey(name)
	var got bool
	err := s.persist(ctx, func() error {
		var err error
		got, err = s.runLock(ctx, "certs.lock", s.scripts.lock, key, owner)
		return err
	})
	if err != nil {
		s.release(ctx, key, owner) // the answer may have been lost
		return false, fmt.Errorf("locking %s: %w", name, err)
	}
	if !got {
		return false, nil
	}
	if !s.beat(context.WithoutCancel(ctx), name, key, owner) {
		s.release(ctx, key, owner)
		return false, ErrClosed
	}
	return true, nil
}

func (s *Store) lockKey(name string) string { return s.base.Field("lock:" + s.hidden(name)) }

func (s *Store) runLock(ctx context.Context, operation string, script *redis.Script, key, owner string) (bool, error) {
	var n int64
	err := s.conn.CallIdempotent(ctx, operation, func(ctx context.Context, r redis.UniversalClient) error {
		var err error
		n, err = script.Run(ctx, r, []string{key}, owner, s.options.LockTTL.Milliseconds()).Int64()
		return err
	})
	return n == 1, err
}

func (s *Store) release(ctx context.Context, key, owner string) {
	_, _ = s.runLock(context.WithoutCancel(ctx), "certs.unlock", s.scripts.unlock, key, owner) // else it runs out
}

// Unlock implements certmagic.Locker. Where Redis does not answer, the lock runs
// out: that is no error, since nobody holds it any more.
func (s *Store) Unlock(ctx context.Context, name string) error {
	s.mu.Lock()
	h := s.held[name]
	delete(s.held, name)
	s.mu.Unlock()
	if h == nil {
		return nil
	}
	h.stop()
	<-h.ended
	err := s.persist(ctx, func() error {
		_, err := s.runLock(ctx, "certs.unlock", s.scripts.unlock, h.key, h.owner)
		return err
	})
	if err != nil && !errors.Is(err, redisconn.ErrAway) {
		return fmt.Errorf("unlocking %s: %w", name, err)
	}
	return nil
}

// beat keeps a lock alive until it is released or the Store is closed; false =
// it is closed already.
func (s *Store) beat(ctx context.Context, name, key, owner string) bool {
	ctx, cancel := context.WithCancel(ctx)
	h := &held{key: key, owner: owner, stop: cancel, ended: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		cancel()
		return false
	}
	s.held[name] = h
	s.beats.Go(func() {
		defer close(h.ended)
		steady.Try(func() { s.beatUntil(ctx, h) }, s.options.Hooks.panicked)
	})
	return true
}

func (s *Store) beatUntil(ctx context.Context, h *held) {
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
		if got, err := s.runLock(ctx, "certs.extend", s.scripts.extend, h.key, h.owner); err == nil && !got {
			return // somebody else has it: what is stored twice is the same work done twice
		}
	}
}

// Close ends all heartbeats and gives the locks back that are still held, so
// that another replica goes on at once.
func (s *Store) Close(ctx context.Context) {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.closing)
	}
	left := s.held
	s.held = map[string]*held{}
	s.mu.Unlock()
	s.beats.Wait()
	for _, h := range left {
		h.stop()
		s.release(ctx, h.key, h.owner)
	}
}
