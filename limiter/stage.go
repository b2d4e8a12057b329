package limiter

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"iqgateway/internal/exchange"
)

// StageOptions are the settings of [Set.Stage].
type StageOptions struct {
	// Bucket returns the key of the bucket that counts an exchange, false if no
	// quota does. Required.
	Bucket func(*exchange.Exchange) (Key, bool)
}

// Stage returns the outbound stage that spends one token of the bucket for each
// attempt below it, and learns from each answer. A request without a token
// waits for its turn, as long as its class, its caller and its context allow,
// and not at all where its turn would come too late. The token goes back if
// nothing was written; the slot of a Concurrency bucket once the answer's body
// has ended.
//
// An upstream's 429 means that the request was not executed. It is tried once
// more, with another token, if it has no body that cannot be sent again and the
// exchange may make another attempt; what reaches the caller is marked in it.
//
// The errors are *[exchange.Problem], QuotaExceeded and QuotaUnavailable, both
// with Outcome NotExecuted, and the context's own error when the caller left.
func (s *Set) Stage(o StageOptions) func(http.RoundTripper) http.RoundTripper {
	pool := newWaiters()
	return func(next http.RoundTripper) http.RoundTripper {
		return &stage{set: s, of: o.Bucket, next: next, waiters: pool}
	}
}

type stage struct {
	set     *Set
	of      func(*exchange.Exchange) (Key, bool)
	next    http.RoundTripper
	waiters *waiters
}

// RoundTrip implements [http.RoundTripper].
func (s *stage) RoundTrip(req *http.Request) (*http.Response, error) {
	ex := exchange.From(req.Context())
	key, counted := s.of(ex)
	if !counted {
		return s.next.RoundTrip(req)
	}
	b := s.set.buckets[key]
	if b == nil {
		exchange.CloseBody(req)
		// A defect, not a state: the configuration has made all buckets.
		return nil, fmt.Errorf("quota: no bucket %s/%s/%s", key.Environment, key.Service, key.Policy)
	}
	name := b.name()
	c := &call{
		stage: s, bucket: b, name: name, request: req, exchange: ex,
		caller: callerOf(ex), class: ClassOf(ex.Class),
	}
	c.deadline = c.patience(b.now())
	ex.QuotaBucket = name.Environment + "/" + name.Service + "/" + name.Policy
	ex.QuotaView = c.view
	return c.run(req.Context())
}

func callerOf(ex *exchange.Exchange) string {
	if ex.Caller == nil {
		return ""
	}
	return ex.Caller.Name
}

// call is one request at the stage.
type call struct {
	stage    *stage
	bucket   *bucket
	name     Name
	request  *http.Request
	exchange *exchange.Exchange
	caller   string
	class    Class
	deadline time.Time
	ticket   *Ticket // of the attempt under way; nil = it has none any more
}

// patience returns until when the request may wait for tokens, all attempts
// together.
func (c *call) patience(now time.Time) time.Time {
	if c.exchange.NoWait {
		return now
	}
	limits := c.bucket.settings()
	wait := limits.MaxWait[c.class]
	if t := c.exchange.Target; t != nil && t.Write {
		wait = min(wait, limits.MaxWaitUnsafe)
	}
	until := now.Add(wait)
	if end, ok := c.request.Context().Deadline(); ok && end.Before(until) {
		until = end
	}
	return until
}

func (c *call) run(ctx context.Context) (*http.Response, error) {
	ticket, refusal := c.acquire(ctx, false)
	if ticket == nil {
		exchange.CloseBody(c.request)
		return nil, c.refuse(ctx, refusal)
	}
	c.exchange.QuotaSource = ""
	resp, again, err := c.attempt(c.request, ticket, replayable(c.request))
	if again {
		resp, err = c.again(ctx, resp)
	}
	if err == nil && resp.StatusCode == http.StatusTooManyRequests {
		c.exchange.QuotaSource = exchange.QuotaUpstream
	}
	return resp, err
}

// acquire waits for a token. There is neither ticket nor refusal if the caller
// has left.
func (c *call) acquire(ctx context.Context, again bool) (ticket *Ticket, refusal *Refusal) {
	since, left := c.bucket.now(), standing{}
	defer func() { c.note(since, ticket, refusal, left) }()
	if ctx.Err() == nil {
		w := c.stage.waiters.get(c.caller, c.class, c.deadline)
		w.Again = again
		ticket, refusal = c.bucket.acquire(ctx, w)
		left = w.left
		c.stage.waiters.put(w)
	}
	if ticket == nil && refusal == nil {
		refusal = c.late(ctx, c.bucket.now().Sub(since))
	}
	info := RequestInfo{Bucket: c.name, Caller: c.caller, Class: c.class}
	switch {
	case ticket != nil:
		info.Waited, info.Held = ticket.Waited, ticket.Held
		c.exchange.QuotaResult = grantedAs(ticket)
	case refusal != nil:
		info.Waited, info.Reason = refusal.Waited, refusal.Reason
	default:
		info.Waited, info.Reason = c.bucket.now().Sub(since), ReasonLeft
	}
	if ticket == nil && !again {
		c.exchange.QuotaResult = string(info.Reason)
	}
	c.exchange.QuotaWait += info.Waited
	c.bucket.limiter.options.Hooks.left(info)
	if ticket != nil && ctx.Err() != nil { // it came too late
		c.giveBack(ticket)
		return nil, c.late(ctx, ticket.Waited)
	}
	return ticket, refusal
}

// late is the refusal of a request whose context has ended: nil if that is
// because its caller has left.
func (c *call) late(ctx context.Context, waited time.Duration) *Refusal {
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return nil
	}
	return c.bucket.late(c.caller, c.class, waited)
}

// giveBack returns a token with which nothing was sent.
func (c *call) giveBack(t *Ticket) {
	c.bucket.unsent(t)
	c.bucket.limiter.options.Hooks.returned(c.name)
}

func grantedAs(t *Ticket) string {
	switch {
	case t.Held:
		return exchange.QuotaHeld
	case t.Waited > 0:
		return exchange.QuotaWaited
	default:
		return exchange.QuotaGranted
	}
}

// attempt sends the request with its token and books what became of it. again
// says that the answer is a 429 which may be tried once more; only if spare.
func (c *call) attempt(req *http.Request, t *Ticket, spare bool) (resp *http.Response, again bool, err error) {
	settled := false
	c.ticket, c.exchange.QuotaToken = t, c
	defer func() {
		c.exchange.QuotaToken = nil
		if !settled { // a panic passes: what it has sent, nobody knows
			c.failed(c.ticket, nil)
		}
	}()
	before := c.exchange.Attempts
	resp, err = c.stage.next.RoundTrip(req)
	t = c.ticket
	if more := c.exchange.Attempts - before - 1; more > 0 {
		c.bucket.resent(more)
		c.bucket.limiter.options.Hooks.resent(c.name, more)
	}
	if err != nil {
		settled = true
		c.failed(t, err)
		return nil, false, err
	}
	o := c.read(resp)
	c.bucket.limiter.options.Hooks.anomalies(c.name, o.Anomalies)
	spare = spare && resp.StatusCode == http.StatusTooManyRequests && c.exchange.MayRepeat()
	again = c.bucket.answered(t, o, spare)
	if t.slot {
		resp.Body = exchange.OnEnd(resp.Body, func() { c.bucket.closed(t) })
	}
	settled = true
	return resp, again, nil
}

// failed ends the attempt of a ticket that brought no answer.
func (c *call) failed(t *Ticket, err error) {
	if t == nil {
		return // it went back while the attempt waited
	}
	if nothingSent(err) {
		c.giveBack(t)
		return
	}
	c.bucket.lost(t)
	if t.slot {
		c.bucket.closed(t)
	}
}

// nothingSent reports whether no byte of an attempt has left this machine, or
// the upstream has declared that it did not look at it. Everything else counts
// as spent.
func nothingSent(err error) bool {
	if p, ok := errors.AsType[*exchange.Problem](err); ok && p.Outcome == exchange.NotExecuted {
		return true
	}
	e, ok := errors.AsType[interface {
		error
		NothingSent() bool
	}](err)
	return ok && e.NothingSent()
}

func replayable(req *http.Request) bool {
	return req.Body == nil || req.Body == http.NoBody || req.GetBody != nil
}
