package retry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"iqgateway/internal/exchange"
	"iqgateway/internal/steady"
	"iqgateway/internal/tape"
)

var errGone = errors.New("too much of the request body has gone to send it again")

// call is one request at the stage.
type call struct {
	stage    *stage
	upstream *upstream
	exchange *exchange.Exchange
	request  *http.Request // as it goes to the next attempt
	tape     *tape.Tape    // nil where the request tells its body itself, or has none
	before   int           // attempts of the exchange before this stage

	made        int  // attempts, as seen from here
	unprocessed bool // one was declared so
	hurried     bool // one was repeated without a pause
	doubt       bool // a write, and an attempt that was repeated may have been executed
}

func (c *call) run(ctx context.Context) (*http.Response, error) {
	c.record(ctx)
	for {
		began := c.stage.now()
		resp, err := c.stage.next.RoundTrip(c.request)
		c.made++
		now := c.stage.now()
		o := c.upstream.judge(c.exchange.Target, resp, err, c.stage.options.Kind, now)
		if err == nil || o.reason != "" && !o.unsent {
			c.upstream.shared.took(now.Sub(began))
		}
		wait, why := c.decide(ctx, o, now)
		if why == ResultNone && o.reason != "" {
			why = c.rewind(ctx)
		}
		if why != ResultNone || o.reason == "" {
			return c.end(resp, err, why)
		}
		c.doubt = c.doubt || c.exchange.Target.Write && !o.unsent
		if resp != nil {
			exchange.Discard(resp)
		}
		c.stage.repeated(RepeatInfo{Key: c.upstream.key, Reason: o.reason, Wait: wait})
		if !steady.Pause(ctx, wait) {
			c.upstream.shared.giveBack(now)
			return c.interrupted(ctx, err)
		}
		c.exchange.Retries++
	}
}

// decide returns the wait before the next attempt, or why there is none.
func (c *call) decide(ctx context.Context, o outcome, now time.Time) (time.Duration, Result) {
	switch {
	case o.reason == "":
		return 0, ResultNone
	case ctx.Err() != nil:
		return 0, resultOf(ctx)
	case !o.unsent && !c.upstream.repeatable(c.exchange.Target, c.request.Method):
		return 0, ResultUnsafe
	case max(c.made, c.exchange.Attempts-c.before) >= c.upstream.settings.MaxAttempts,
		o.reason == ReasonUnprocessed && c.unprocessed: // once: an upstream may say it for ever
		return 0, ResultAttempts
	case c.tape.Gone():
		return 0, ResultBody
	case o.after > maxRetryAfter:
		return 0, ResultRetryAfter
	}
	c.unprocessed = o.reason == ReasonUnprocessed
	wait := o.after + c.pause(o)
	if end, ok := ctx.Deadline(); ok && wait+c.upstream.shared.typical() > end.Sub(now) {
		return 0, ResultDeadline
	}
	if !c.upstream.shared.spend(now, c.upstream.settings.Budget) {
		return 0, ResultBudget
	}
	return wait, ResultNone
}

// pause returns how long nothing is sent on the gateway's own account. A connection
// that had served before may have been dead for a while, the upstream is well all
// the same: once, what was lost with it goes out again at once.
func (c *call) pause(o outcome) time.Duration {
	if o.kept && !c.hurried {
		c.hurried = true
		return 0
	}
	return backoff(c.made, c.stage.set.budgets.options.Random())
}

// record makes sure that a short body can be sent again.
func (c *call) record(ctx context.Context) {
	req := c.request
	if req.Body == nil || req.Body == http.NoBody || req.GetBody != nil {
		return
	}
	buffer := c.stage.options.Buffer
	if req.ContentLength > int64(buffer) {
		buffer = 0
	}
	kept, first := tape.Record(req.Body, buffer)
	out := req.WithContext(ctx)
	out.Body = first
	out.GetBody = func() (io.ReadCloser, error) {
		body, ok := kept.Rewind()
		if !ok {
			return nil, errGone
		}
		return body, nil
	}
	c.tape, c.request = kept, out
}

// rewind gives the next attempt the body from its first byte on. The request of
// the last one is left alone: a transport may still hold it.
func (c *call) rewind(ctx context.Context) Result {
	if c.request.GetBody == nil {
		return ResultNone
	}
	body, err := c.request.GetBody()
	if err != nil {
		return ResultBody
	}
	out := c.request.WithContext(ctx)
	out.Body = body
	c.request = out
	return ResultNone
}

// end hands on what the last attempt has brought.
func (c *call) end(resp *http.Response, err error, why Result) (*http.Response, error) {
	c.tape.Stop()
	switch {
	case why != ResultNone || c.made == 1:
	case err == nil:
		why = ResultAnswered
	default:
		why = ResultFailed
	}
	if why != ResultNone {
		c.exchange.RetryResult = string(why)
		c.stage.stopped(c.upstream.key, why)
	}
	if err != nil && c.doubt {
		err = doubtful(err)
	}
	return resp, err
}

// interrupted ends a request whose caller left, or whose time passed, during a
// wait. Of the last attempt only its error is left.
func (c *call) interrupted(ctx context.Context, err error) (*http.Response, error) {
	if c.request.Body != nil {
		_ = c.request.Body.Close()
	}
	why := resultOf(ctx)
	switch {
	case why == ResultLeft: // nobody reads a problem
		err = fmt.Errorf("waiting to repeat a request: %w", context.Cause(ctx))
	case err == nil:
		p := exchange.Refuse(exchange.UpstreamTimeout, "the deadline of the request passed before it could be repeated")
		if c.exchange.Target.Write {
			p.Outcome = exchange.OutcomeUnknown // it was answered, with a failure
		}
		err = p.Because(context.Cause(ctx))
	}
	return c.end(nil, err, why)
}

// resultOf says why a context has ended.
func resultOf(ctx context.Context) Result {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return ResultDeadline
	}
	return ResultLeft
}
