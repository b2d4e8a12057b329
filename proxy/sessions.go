package proxy

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/url"
	"runtime/debug"
	"sync"
	"time"
)

// forgetAfter is how long a session that nobody uses stays in memory: it may be
// that of a credential that a reload has removed.
const forgetAfter = time.Hour

// errSessionsClosed answers who asks for a session call during shutdown.
var errSessionsClosed = errors.New("sessions: closed")

// SessionsOptions configure [Sessions]; the zero value works.
type SessionsOptions struct {
	// Store shares sessions with other replicas; nil = this process only.
	Store SessionStore
	// Hooks observe sessions.
	Hooks SessionHooks
	// Now is the clock; default [time.Now].
	Now func() time.Time
	// Random returns a number in [0, 1); default [rand.Float64].
	Random func() float64
}

// Sessions holds what upstreams want remembered between calls: their session
// cookies, and the host that they prefer. It outlives generations. Sessions of
// different environments, services, credentials and accounts never mix.
//
// Safe for concurrent use. Its background work begins with the first request
// that needs it, and ends with Close.
type Sessions struct {
	options SessionsOptions
	began   time.Time       // what instants count from: the wall clock may be set
	ctx     context.Context //nolint:containedctx // of background work, which belongs to no request
	cancel  context.CancelFunc

	mu         sync.Mutex
	known      map[SessionKey]*session
	closed     bool
	background sync.WaitGroup
}

// NewSessions returns an empty set of sessions, which must be closed.
func NewSessions(o SessionsOptions) *Sessions {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Float64
	}
	s := &Sessions{options: o, began: o.Now(), known: make(map[SessionKey]*session)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Close ends all background work and waits for it. Requests may go on; they
// then find what is in memory.
func (s *Sessions) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.background.Wait()
}

// of returns the session of key, whose upstream is configured as given.
func (s *Sessions) of(key SessionKey, upstream *url.URL) *session {
	now := s.options.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	n, ok := s.known[key]
	if !ok {
		for k, old := range s.known {
			if old.idle(now) > forgetAfter {
				delete(s.known, k)
			}
		}
		n = s.private(key, upstream)
		n.store = s.options.Store
		s.known[key] = n
	}
	n.touch(now)
	return n
}

// private returns a session that nobody else will find.
func (s *Sessions) private(key SessionKey, upstream *url.URL) *session {
	n := &session{owner: s, key: key, upstream: upstream}
	n.endpoint.later = time.Duration(s.options.Random() * float64(askSpread))
	return n
}

// start runs f in the background; it reports false after Close.
func (s *Sessions) start(key SessionKey, f func(ctx context.Context)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.background.Go(func() {
		defer s.recovered(key)
		f(s.ctx)
	})
	return true
}

func (s *Sessions) recovered(key SessionKey) {
	if value := recover(); value != nil && s.options.Hooks.Panicked != nil {
		s.options.Hooks.Panicked(key, value, debug.Stack())
	}
}
