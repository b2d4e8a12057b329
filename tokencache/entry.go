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

// lookEvery is how often a refused credential looks for new secrets, and
// whether an operator has asked for another attempt.
const lookEvery = 5 * time.Second

// entry is the state of one credential. No lock is held over the network, and
// none is taken while the current token is far from its expiry.
type entry struct {
	id    ID
	cache *Cache
	users int // Sets that hold it; guarded by cache.mu

	current atomic.Pointer[token]
	turn    chan struct{} // holds one element while this process claims, fetches or shares
	tending atomic.Bool   // Run is at it

	mu      sync.Mutex
	key     StoreKey // of the secrets in use; written under cache.mu, too
	cred    Credential
	secrets Secrets // in use; Reread may have changed them
	retired bool
	flight  *flight // the fetch under way, nil = none
	offer   *offer  // the token that is not shared yet, nil = none

	history  History
	jitter   float64   // drawn with the last failure
	forgiven time.Time // when an operator last forgave here
	seen     seen      // the newest token that the Store has shown of key
	serial   uint64    // of the newest token

	droppedAt time.Time // when an operator last dropped the token
	lookedAt  time.Time // when a refused credential last looked around
	verdictAt time.Time // when a look last said that the current token is not to be replaced
	rereadAt  time.Time
	reading   chan struct{}        // closed when the re-reading under way ends; nil = there is none
	complaint string               // of the last re-reading, "" = none
	refused   map[StoreKey]History // of earlier secrets, which may come back
	onFile    fileState
}

// seen remembers a token of the Store.
type seen struct {
	generation uint64
	issued     time.Time
}

// fileState is what is known of the file of refusals.
type fileState struct {
	read    bool
	written bool
}

func newEntry(c *Cache, cred Credential, key StoreKey) *entry {
	return &entry{
		id: cred.id(), key: key, cache: c, cred: cred, secrets: cred.Secrets, retired: c.closed,
		turn: make(chan struct{}, 1),
	}
}

// flight is one fetch that any number of callers wait for.
type flight struct {
	reason Reason
	wished time.Time
	held   *token // that is to be renewed or replaced
	cancel context.CancelFunc
	trace  exchange.Trace
	own    *exchange.Exchange // what it does; of its goroutine alone
	asked  atomic.Bool        // the token endpoint is being asked, or has been

	done  chan struct{} // closed when the rest is set
	token *token
	err   error
	told  bool // the fetch is told of: the token endpoint was asked
}

// notReadyError is why no token can be had right now.
type notReadyError struct {
	retryAfter time.Duration // until the next attempt
	stopped    bool          // there is none before somebody does something
	cause      string        // of the last failure; safe to log
}

func (e *notReadyError) Error() string {
	if e.stopped {
		return "no more attempts by itself: " + e.cause
	}
	return fmt.Sprintf("no token before %s: %s", e.retryAfter.Round(time.Millisecond), e.cause)
}

// errRetired ends what a credential does that no configuration has any more.
var errRetired = errors.New("the credential is no longer configured")

func (e *entry) configure(cred Credential) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.cred = cred
}

// retire cancels what is under way and lets nothing else start.
func (e *entry) retire() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.retired = true
	if e.flight != nil {
		e.flight.cancel()
	}
	if e.offer != nil {
		e.offer.cancel()
	}
}

// acquire returns a usable token, fetching one if there is none and renewing
// it in the background if it is time to. The flight is the one that was waited
// for, nil = none was.
func (e *entry) acquire(ctx context.Context) (*token, *flight, error) {
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
	return t, nil, nil
}

// await joins or starts the fetch and waits for it, at most until ctx ends.
func (e *entry) await(ctx context.Context, since time.Time) (*token, *flight, error) {
	t, f, err := e.awaitFlight(ctx)
	e.cache.options.Hooks.waited(e.id, time.Since(since), err)
	return t, f, err
}

func (e *entry) awaitFlight(ctx context.Context) (t *token, f *flight, err error) {
	for {
		e.mu.Lock()
		now := time.Now()
		if t = e.current.Load(); t.usable(now) {
			e.mu.Unlock()
			return t, f, nil
		}
		if e.flight == nil {
			reason := ReasonFirst
			if t != nil {
				reason = ReasonExpired
			}
			if err := e.startLocked(ctx, now, reason); err != nil {
				e.mu.Unlock()
				return nil, f, err
			}
		}
		f = e.flight
		e.mu.Unlock()
		// A flight that was to replace a token may have found that it must not.
		if t, err = f.wait(ctx); err == nil && t.usable(time.Now()) || err != nil && !isKept(err) {
			return t, f, err
		}
	}
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
	if err := e.readyLocked(now, reason); err != nil && !e.mayLookLocked(now) {
		return err
	}
	own := e.traced(ctx, now, reason)
	ctx, cancel := context.WithCancel(detached(ctx, own))
	e.lookedAt = now
	f := &flight{
		reason: reason, wished: now, held: e.current.Load(), cancel: cancel, trace: own.Trace, own: own, done: make(chan struct{}),
	}
	e.flight = f
	if e.offer != nil {
		e.offer.makeWay()
	}
	e.cache.fetches.Go(func() { e.fly(ctx, f) })
	return nil
}

// detached is a caller's context for work with an exchange of its own: the fetch
// must outlive the caller, whose leaving must not fail the others, and must
// not touch its exchange.
func detached(ctx context.Context, own *exchange.Exchange) context.Context {
	ctx = exchange.With(context.WithoutCancel(ctx), own)
	return exchange.WithAuthorizer(ctx, nil)
}

// readyLocked returns a notReadyError while failures forbid an attempt.
func (e *entry) readyLocked(now time.Time, reason Reason) error {
	at, stopped := e.history.next(e.urgent(now, reason), e.jitter)
	if stopped || now.Before(at) {
		return e.notReadyLocked(now, reason)
	}
	return nil
}

// urgent: callers are turned away until the attempt succeeds.
func (e *entry) urgent(now time.Time, reason Reason) bool {
	return reason == ReasonRejected || reason != ReasonAhead && !e.current.Load().usable(now)
}

func (e *entry) notReadyLocked(now time.Time, reason Reason) *notReadyError {
	at, stopped := e.history.next(e.urgent(now, reason), e.jitter)
	out := &notReadyError{retryAfter: max(at.Sub(now), 0), stopped: stopped, cause: e.history.LastError}
	if stopped {
		out.retryAfter = time.Minute // somebody may have repaired it by then
	}
	return out
}

// mayLookLocked lets a refused credential find out whether its secrets have
// been corrected, or an operator has asked another replica for an attempt.
func (e *entry) mayLookLocked(now time.Time) bool {
	canChange := e.cred.Reread != nil || e.cache.options.Store != nil
	return len(e.history.Refusals) > 0 && canChange && now.Sub(e.lookedAt) >= lookEvery
}

// setHistoryLocked draws a new jitter where the history has a new failure.
func (e *entry) setHistoryLocked(h History) {
	if !h.lastFailure().Equal(e.history.lastFailure()) {
		e.jitter = e.cache.options.Random()
	}
	e.history = h
}
