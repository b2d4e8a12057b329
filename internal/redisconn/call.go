package redisconn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// outcomeOK is the outcome of a call that Redis answered, also of one that
// found nothing.
const outcomeOK = "ok"

// Call runs f with the client, within Options.Timeout and ctx as a whole.
// operation is a constant of the caller's code, for metrics and errors.
//
// f uses the ctx that it is given, and r only until it returns. Errors of the
// client are already reduced to *Error when f sees them, but for redis.Nil,
// redis.TxFailedErr and the missing script that redis.Script.Run handles; what
// f returns of its own passes unchanged. Scripts therefore answer with values,
// not with error replies.
//
// While the server is away the error is ErrAway, at once and unwrapped. It is
// an *Error that matches ErrAway when the server fails during the call:
// whether the commands were executed is then unknown. The caller's own
// cancellation gives ctx's error and does not count against the server.
func (c *Conn) Call(ctx context.Context, operation string, f func(ctx context.Context, r redis.UniversalClient) error) error {
	s := c.live.Load()
	if s == nil {
		c.called(operation, string(ReasonAway), 0)
		return ErrAway
	}
	began := c.options.Now()
	if !s.enter(began) {
		c.rouse()
		c.called(operation, string(ReasonStalled), 0)
		return &Error{Operation: operation, Reason: ReasonStalled}
	}
	result := result{reason: ReasonCaller, verdict: verdictNeutral} // of a panic in f
	defer func() {
		now := c.options.Now()
		if s.leave(now, result.verdict) {
			c.lose(s, &Error{Operation: operation, Reason: result.reason})
		}
		c.called(operation, string(result.reason), now.Sub(began))
	}()
	bounded, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	result = c.judge(ctx, operation, f(bounded, s.client))
	return result.err
}

// maxRuns bounds how often CallIdempotent runs its f. Whoever closes
// connections closes one after the other, so that a second try may meet the
// same fate on the next.
const maxRuns = 4

// CallIdempotent is Call for an f that may run several times: it is run again,
// in the same Timeout, when its connection breaks under it, as happens when an
// operator or a proxy closes connections.
func (c *Conn) CallIdempotent(ctx context.Context, operation string, f func(ctx context.Context, r redis.UniversalClient) error) error {
	return c.Call(ctx, operation, func(ctx context.Context, r redis.UniversalClient) error {
		var err error
		for range maxRuns {
			err = f(ctx, r)
			if failed, ok := errors.AsType[*Error](err); !ok || failed.Reason != ReasonClosed || ctx.Err() != nil {
				break
			}
		}
		return err
	})
}

// result is what a call means for metrics, for the server and for its caller.
type result struct {
	reason  Reason
	verdict verdict
	err     error
}

func (c *Conn) judge(ctx context.Context, operation string, err error) result {
	if err == nil {
		return result{reason: outcomeOK}
	}
	if done := callerDone(ctx, c.options.Now()); done != nil {
		return result{ReasonCaller, verdictNeutral, fmt.Errorf("redis: %s: %w", operation, done)}
	}
	failed, ok := errors.AsType[*Error](err)
	switch {
	case ok:
	case errors.Is(err, context.DeadlineExceeded): // f waited for our bound
		failed = &Error{Reason: ReasonTimeout}
		err = failed
	default:
		return result{reason: outcomeOK, err: err} // redis.Nil and f's own
	}
	v := verdictOf(failed.Reason)
	if failed.ofNode {
		v = verdictNeutral
	}
	if err == error(failed) { //nolint:errorlint // f added nothing that must be kept
		return result{failed.Reason, v, &Error{Operation: operation, Reason: failed.Reason}}
	}
	return result{failed.Reason, v, fmt.Errorf("%s: %w", operation, err)}
}

// callerDone also looks at the clock: a read ends by the deadline a little
// before the context does.
func callerDone(ctx context.Context, now time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if deadline, ok := ctx.Deadline(); ok && !now.Before(deadline) {
		return context.DeadlineExceeded
	}
	return nil
}

func (c *Conn) called(operation, outcome string, took time.Duration) {
	if hook := c.options.Hooks.Called; hook != nil {
		hook(Called{Operation: operation, Outcome: outcome, Duration: took})
	}
}
