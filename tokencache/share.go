package tokencache

import (
	"context"
	"errors"
	"time"
)

// The pace of sharing a token while the Store is away.
const (
	offerFirst = 50 * time.Millisecond
	offerMost  = 5 * time.Second
)

// offer is a token that this process has fetched and the Store does not know.
type offer struct {
	token  *token
	cancel context.CancelFunc
	way    chan struct{} // a fetch wants the turn
}

// makeWay asks the offer not to keep its claim any longer.
func (o *offer) makeWay() {
	select {
	case o.way <- struct{}{}:
	default:
	}
}

// shareHeld shares with the claim of the fetch. While it holds it, no other
// replica fetches a token that nobody needs: a Store that was away for a
// moment costs no call.
func (e *entry) shareHeld(ctx context.Context, o *offer, claim Claim) (done bool) {
	until := time.Now().Add(e.cache.options.FetchTimeout)
	for wait := offerFirst; ; wait = min(2*wait, offerMost) {
		err := e.grant(ctx, o.token, claim)
		if err == nil {
			return true
		}
		if errors.Is(err, ErrClaimLost) || time.Now().After(until) || !pause(ctx, wait, o.way) || !e.worthSharing(o.token) {
			return false
		}
	}
}

// shareLater shares with new claims, for as long as the token is worth it.
// Each shows first what the others have: a newer token than ours is adopted.
func (e *entry) shareLater(ctx context.Context, o *offer) {
	for wait := offerFirst; e.worthSharing(o.token); wait = min(2*wait, offerMost) {
		if !pause(ctx, jittered(wait, e.cache.options.Random()), nil) || !e.takeTurn(ctx) {
			return
		}
		e.shareAnew(ctx, o.token)
	}
}

// shareAnew gives the turn back.
func (e *entry) shareAnew(ctx context.Context, t *token) {
	defer e.giveTurn()
	claim, _, err := e.claim(ctx, t.key)
	if err != nil || claim == nil {
		return
	}
	defer claim.Release()
	if e.worthSharing(t) {
		_ = e.grant(ctx, t, claim) // the hook knows; it is tried again
	}
}

// worthSharing: t serves here, will for a while, and nobody else has it.
func (e *entry) worthSharing(t *token) bool {
	return e.current.Load() == t && t.shared.Load() == 0 && time.Now().Before(t.life.refresh)
}

// grant gives t to the fleet.
func (e *entry) grant(ctx context.Context, t *token, claim Claim) error {
	e.mu.Lock()
	h := e.history
	if t.key != e.key {
		h = History{}
	}
	e.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	generation, err := claim.Grant(ctx, t.toShare(), h)
	switch {
	case errors.Is(err, ErrClaimLost):
		e.cache.options.Hooks.claimLost(e.id)
		return err
	case err != nil:
		e.cache.options.Hooks.storeFailed(e.id, "grant", err)
		return err
	}
	e.shared(ctx, t, generation)
	return nil
}

// shared notes the generation that the fleet knows t by. It may be lower than
// those before: a Store that has lost its state counts anew.
func (e *entry) shared(ctx context.Context, t *token, generation uint64) {
	e.mu.Lock()
	t.shared.Store(generation)
	if t.key == e.key {
		e.seen = seen{generation, t.life.issued}
	}
	e.mu.Unlock()
	e.tellAccepted(ctx, t)
}
