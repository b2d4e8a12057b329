package bulkhead

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"iqgateway/internal/exchange"
)

// Stage returns the outbound stage in which each attempt holds one slot of its
// upstream until the body of its answer has ended, whoever reads it. An attempt
// that finds none waits for its turn, at most until its context ends. Where its
// token of the quota has become void meanwhile, it gives the slot back, gets
// another token and comes back to its place.
//
// The errors are *[exchange.Problem] UpstreamBusy with Outcome NotExecuted, one
// that wraps the context's cause when the caller left, and those of
// [exchange.QuotaToken].
func (s *Set) Stage() func(http.RoundTripper) http.RoundTripper {
	return func(next http.RoundTripper) http.RoundTripper { return &stage{set: s, next: next} }
}

type stage struct {
	set  *Set
	next http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (s *stage) RoundTrip(r *http.Request) (*http.Response, error) {
	ex := exchange.From(r.Context())
	if ex.Target == nil {
		return s.next.RoundTrip(r)
	}
	key := Key{ex.Target.Environment, ex.Target.Service}
	held := s.set.slots[key]
	if held == nil {
		return s.next.RoundTrip(r)
	}
	if !held.take() {
		if err := s.wait(r.Context(), ex, key, held); err != nil {
			if r.Body != nil {
				_ = r.Body.Close()
			}
			return nil, err
		}
	}
	return s.attempt(r, held)
}

// attempt sends r, which holds a slot.
func (s *stage) attempt(r *http.Request, held *slots) (*http.Response, error) {
	kept := false
	defer func() {
		if !kept { // an error, or a panic
			held.free()
		}
	}()
	res, err := s.next.RoundTrip(r)
	if err == nil {
		res.Body = exchange.OnEnd(res.Body, held.free)
		kept = true
	}
	return res, err
}

// wait returns nil once r's turn has come, with a token that may be spent.
func (s *stage) wait(ctx context.Context, ex *exchange.Exchange, key Key, held *slots) error {
	if ex.NoWait {
		s.set.owner.options.Hooks.refused(key, ReasonNoWait, 0)
		return refuse(key, "it must not wait for one of them to end")
	}
	var last *waiter
	for {
		w, err := s.turn(ctx, key, held, last)
		switch {
		case err != nil:
			return err
		case w == nil || ex.QuotaToken == nil || !ex.QuotaToken.Void():
			return nil
		}
		held.free() // nobody holds one while it waits for a token
		if err := ex.QuotaToken.Renew(ctx); err != nil {
			return err
		}
		last = w
	}
}

// turn returns once a slot is held, with the waiter that waited for it; nil if
// there was one at once.
func (s *stage) turn(ctx context.Context, key Key, held *slots, back *waiter) (*waiter, error) {
	o := &s.set.owner.options
	since := o.Now()
	w, queued := held.queue(back)
	switch {
	case !queued:
		o.Hooks.refused(key, ReasonFull, 0)
		return nil, refuse(key, "as many wait already")
	case w == nil:
		return nil, nil //nolint:nilnil // a slot without a wait
	}
	err := held.wait(ctx, w)
	waited := o.Now().Sub(since)
	switch {
	case err == nil:
		o.Hooks.waited(key, waited)
		return w, nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		o.Hooks.refused(key, ReasonDeadline, waited)
		return nil, refuse(key, fmt.Sprintf("none ended within %s, as long as it may wait", waited.Round(time.Millisecond))).Because(err)
	default:
		o.Hooks.refused(key, ReasonLeft, waited)
		return nil, fmt.Errorf("waiting for a slot of %s: %w", key, err)
	}
}

func refuse(key Key, why string) *exchange.Problem {
	p := exchange.Refuse(exchange.UpstreamBusy,
		"As many requests to "+key.String()+" are under way as this replica sends at once (limits.max_in_flight), and "+why+". Nothing was sent.")
	p.RetryAfter = retryAfter
	p.Outcome = exchange.NotExecuted
	return p
}
