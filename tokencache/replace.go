package tokencache

import (
	"context"
	"errors"
	"time"

	"iqgateway/internal/exchange"
)

// Why a token that an upstream has refused is kept.
var (
	errReplacedLately = errors.New("the token was replaced a moment ago and is refused again")
	errNeverAccepted  = errors.New("no upstream has ever accepted the token: a new one would fare no better")
)

func isKept(err error) bool {
	return errors.Is(err, errReplacedLately) || errors.Is(err, errNeverAccepted)
}

// verdictHolds is how long a look into the Store that did not help stands for
// all 401s: an endpoint that says nothing else must not cost a trip each.
const verdictHolds = time.Second

// replace returns another token than the one that an upstream refused; nil =
// the attempt carried none any more. Only the current token is replaced, only
// if an upstream has accepted it before, and not twice within ReplaceInterval:
// else the error is errNeverAccepted or errReplacedLately. The flight is the one
// that was waited for, nil = none was.
func (e *entry) replace(ctx context.Context, refused *token) (*token, *flight, error) {
	e.mu.Lock()
	t, now := e.current.Load(), time.Now()
	if t == nil || t != refused {
		e.mu.Unlock()
		return e.acquire(ctx)
	}
	if e.flight == nil {
		err := e.mayReplaceLocked(now, t)
		if err == nil || e.worthALookLocked(now) {
			err = e.startLocked(ctx, now, ReasonRejected)
		}
		if err != nil {
			e.mu.Unlock()
			return nil, nil, err
		}
	}
	f := e.flight
	e.mu.Unlock()
	t, err := f.wait(ctx)
	return t, f, err
}

// mayReplaceLocked says why t is kept; nil = it is not.
func (e *entry) mayReplaceLocked(now time.Time, t *token) error {
	replaced := e.history.ReplacedAt
	switch {
	case !t.accepted.Load():
		return errNeverAccepted
	case !replaced.IsZero() && now.Sub(replaced) < e.cache.options.ReplaceInterval:
		return errReplacedLately
	}
	return nil
}

// worthALookLocked: other replicas may know more.
func (e *entry) worthALookLocked(now time.Time) bool {
	return e.cache.options.Store != nil && (e.verdictAt.IsZero() || now.Sub(e.verdictAt) >= verdictHolds)
}

// accept notes, here and once for all replicas, that an upstream took t.
func (e *entry) accept(ctx context.Context, t *token) {
	if t.accepted.CompareAndSwap(false, true) {
		e.tellAccepted(ctx, t)
	}
}

// tellAccepted runs when t is accepted and when it gets its generation,
// whichever comes last, and from time to time until the Store knows: replicas
// that come later could not replace t else.
func (e *entry) tellAccepted(ctx context.Context, t *token) {
	store, generation := e.cache.options.Store, t.shared.Load()
	if store == nil || generation == 0 || generation == t.told.Load() || !t.accepted.Load() {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.retired || t.told.Swap(generation) == generation { // once, whoever comes first
		return
	}
	ctx = detached(ctx, &exchange.Exchange{})
	e.cache.fetches.Go(func() {
		defer e.survive()
		ctx, cancel := context.WithTimeout(ctx, storeTimeout)
		defer cancel()
		if err := store.Accepted(ctx, t.key, generation); err != nil {
			t.told.CompareAndSwap(generation, 0)
			e.cache.options.Hooks.storeFailed(e.id, "accepted", err)
		}
	})
}
