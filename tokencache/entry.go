package tokencache

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"iqgateway/internal/exchange"
)

// rereadEvery is how often a refused credential looks for new secrets.
const rereadEvery = 5 * time.Second

// entry is the state of one credential. No lock is held over the network, and
// none is taken while the current token is far from its expiry.
type entry struct {
	id    ID
	key   key
	cache *Cache
	users int // Sets that hold it; guarded by cache.mu

	current atomic.Pointer[token]

	mu         sync.Mutex
	cred       Credential
	secrets    Secrets // in use; Reread may have changed them
	rereadAt   time.Time
	flight     *flight // the fetch under way, nil = none
	history    history
	serial     uint64    // generation of the newest token
	replacedAt time.Time // when a 401 last led to a new token
	lastErr    *FetchError
	lastErrAt  time.Time
	retired    bool
}

// flight is one fetch that any number of callers wait for.
type flight struct {
	reason Reason
	cancel context.CancelFunc
	done   chan struct{} // closed when token and err are set
	token  *token
	err    error
}

// notReadyError is why no token can be had right now.
type notReadyError struct {
	retryAfter time.Duration // until the next attempt
	cause      error         // of the last failure; safe to log
}

func (e *notReadyError) Error() string {
	return fmt.Sprintf("no token before %s: %v", e.retryAfter.Round(time.Millisecond), e.cause)
}

func (e *notReadyError) Unwrap() error { return e.cause }

var (
	errRetired  = errors.New("the credential is no longer configured")
	errRejected = errors.New("the token was replaced a moment ago and is refused again")
)

func (e *entry) configure(cred Credential) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.cred = cred
}

// retire cancels the fetch under way and lets no other start.
func (e *entry) retire() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.retired = true
	if e.flight != nil {
		e.flight.cancel()
	}
}

// acquire returns a usable token, fetching one if there is none and renewing
// it in the background if it is time to.
func (e *entry) acquire(ctx context.Context) (*token, error) {
	now := time.Now()
	t := e.current.Load()
	if !t.usable(now) {
		return e.await(ctx, now)
	}
	// A caller that finds the lock taken leaves the renewal to its holder.
	if !now.Before(t.life.refresh) && e.mu.TryLock() {
		if e.flight == nil && e.current.Load() == t {
			_ = e.startLocked(ctx, now, ReasonAhead) // too early after a failure: the old token serves
		}
		e.mu.Unlock()
	}
	return t, nil
}

// await joins or starts the fetch and waits for it, at most until ctx ends.
func (e *entry) await(ctx context.Context, since time.Time) (*token, error) {
	t, err := e.awaitFlight(ctx)
	e.cache.options.Hooks.waited(e.id, time.Since(since), err)
	return t, err
}

func (e *entry) awaitFlight(ctx context.Context) (*token, error) {
	for {
		e.mu.Lock()
		now := time.Now()
		t := e.current.Load()
		if t.usable(now) {
			e.mu.Unlock()
			return t, nil
		}
		if e.flight == nil {
			reason := ReasonFirst
			if t != nil {
				reason = ReasonExpired
			}
			if err := e.startLocked(ctx, now, reason); err != nil {
				e.mu.Unlock()
				return nil, err
			}
		}
		f := e.flight
		e.mu.Unlock()
		if t, err := f.wait(ctx); err != nil || t.usable(time.Now()) {
			return t, err
		}
	}
}

// replace returns another token than the one of the generation that an
// upstream refused. Only the current generation is replaced, and not twice
// within ReplaceInterval: then the error is errRejected.
func (e *entry) replace(ctx context.Context, generation uint64) (*token, error) {
	e.mu.Lock()
	t, now := e.current.Load(), time.Now()
	if t == nil || t.generation != generation {
		e.mu.Unlock()
		return e.acquire(ctx)
	}
	if e.flight == nil {
		if !e.replacedAt.IsZero() && now.Sub(e.replacedAt) < e.cache.options.ReplaceInterval {
			e.mu.Unlock()
			return nil, errRejected
		}
		if err := e.startLocked(ctx, now, ReasonRejected); err != nil {
			e.mu.Unlock()
			return nil, err
		}
	}
	f := e.flight
	e.mu.Unlock()
	return f.wait(ctx)
}

func (f *flight) wait(ctx context.Context) (*token, error) {
	select {
	case <-f.done:
		return f.token, f.err
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for a token: %w", context.Cause(ctx))
	}
}

// startLocked starts a fetch, or says how long not to.
func (e *entry) startLocked(ctx context.Context, now time.Time, reason Reason) error {
	if e.retired {
		return errRetired
	}
	at := e.history.next(reason != ReasonAhead)
	if now.Before(at) && !e.mayRereadLocked(now) {
		return &notReadyError{retryAfter: at.Sub(now), cause: e.lastErr}
	}
	ctx, cancel := context.WithTimeout(detached(ctx), e.cache.options.FetchTimeout)
	f := &flight{reason: reason, cancel: cancel, done: make(chan struct{})}
	e.flight = f
	e.cache.fetches.Go(func() { e.fly(ctx, f) })
	return nil
}

// detached keeps of a caller's context what tracing has put there: the fetch
// must outlive the caller, whose leaving must not fail the others, and must
// not touch its exchange.
func detached(ctx context.Context) context.Context {
	ctx = exchange.With(context.WithoutCancel(ctx), &exchange.Exchange{})
	return exchange.WithAuthorizer(ctx, nil)
}

// mayRereadLocked lets a refused credential find out whether its secrets have
// been corrected.
func (e *entry) mayRereadLocked(now time.Time) bool {
	return now.Before(e.history.barred) && e.cred.Reread != nil && now.Sub(e.rereadAt) >= rereadEvery
}
