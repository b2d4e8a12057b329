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
// that finds none waits for its turn, at most until its context ends. Slots and
// places in the queue go round the callers, so that none takes an upstream from
// the others. Where its token of the quota has become void meanwhile, it gives
// the slot back, gets another token and comes back to its place.
//
// It needs the exchange's Caller and Class; those without a caller count as one.
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
	q := &asked{stage: s, exchange: ex, key: key, slots: held}
	if ex.Caller != nil {
		q.caller = ex.Caller.Name
	}
	defer q.free() // an error, or a panic of whatever is called meanwhile
	if q.held = held.take(q.caller); q.held == nil {
		if err := q.wait(r.Context()); err != nil {
			exchange.CloseBody(r)
			return nil, err
		}
	}
	return q.attempt(r)
}

// asked is one request at the stage.
type asked struct {
	stage    *stage
	exchange *exchange.Exchange
	key      Key
	caller   string
	slots    *slots
	held     *holder // of the slot that it holds; nil = it holds none
}

// free gives the slot back, if there is one.
func (q *asked) free() {
	if held := q.held; held != nil {
		q.held = nil
		q.slots.free(held)
	}
}

// attempt sends r; the body of its answer takes the slot over.
func (q *asked) attempt(r *http.Request) (*http.Response, error) {
	res, err := q.stage.next.RoundTrip(r)
	if err == nil {
		slots, held := q.slots, q.held
		q.held = nil
		res.Body = exchange.OnEnd(res.Body, func() { slots.free(held) })
	}
	return res, err
}

// wait returns nil once the request's turn has come, with a token that may be
// spent.
func (q *asked) wait(ctx context.Context) error {
	if q.exchange.NoWait {
		q.note(q.stage.set.owner.options.Now(), 0, false)
		q.stage.set.owner.options.Hooks.refused(q.key, ReasonNoWait, 0)
		return refuse(q.key, "it must not wait for one of them to end")
	}
	var last *waiter
	for {
		w, err := q.turn(ctx, last)
		if err != nil {
			return err
		}
		if q.exchange.QuotaToken == nil || !q.exchange.QuotaToken.Void() {
			return nil
		}
		q.free() // nobody holds one while it waits for a token
		if err := q.exchange.QuotaToken.Renew(ctx); err != nil {
			return err
		}
		last = w
	}
}

// turn returns once a slot is held, with the waiter that waited for it.
func (q *asked) turn(ctx context.Context, back *waiter) (*waiter, error) {
	o := &q.stage.set.owner.options
	since := o.Now()
	w := q.slots.queue(q.caller, classOf(q.exchange.Class), back)
	if w == nil {
		q.note(since, 0, false)
		o.Hooks.refused(q.key, ReasonFull, 0)
		return nil, refuse(q.key, "as many wait already")
	}
	err := q.slots.wait(ctx, w)
	if err == nil {
		q.held = w.line.caller
	}
	waited := o.Now().Sub(since)
	q.note(since, waited, err == nil)
	switch {
	case err == nil:
		o.Hooks.waited(q.key, waited)
		return w, nil
	case errors.Is(err, errDisplaced):
		o.Hooks.refused(q.key, ReasonFull, waited)
		return nil, refuse(q.key, "as many wait, of more callers: your last gave its place to one that had fewer").Because(err)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		o.Hooks.refused(q.key, ReasonDeadline, waited)
		return nil, refuse(q.key, fmt.Sprintf("none ended within %s, as long as it may wait", waited.Round(time.Millisecond))).Because(err)
	default:
		o.Hooks.refused(q.key, ReasonLeft, waited)
		return nil, fmt.Errorf("waiting for a slot of %s: %w", q.key, err)
	}
}

// note tells of a slot that was not there at once.
func (q *asked) note(since time.Time, waited time.Duration, got bool) {
	w := exchange.Wait{Kind: exchange.WaitSlot, Took: waited, Result: exchange.WaitWaited, Failed: !got}
	if !got {
		w.Result = exchange.WaitFailed
	}
	q.exchange.Waited(since, w)
}

func refuse(key Key, why string) *exchange.Problem {
	p := exchange.Refuse(exchange.UpstreamBusy,
		"As many requests to "+key.String()+" are under way as this replica sends at once (limits.max_in_flight), and "+why+". Nothing was sent.")
	p.RetryAfter = retryAfter
	p.Outcome = exchange.NotExecuted
	return p
}
