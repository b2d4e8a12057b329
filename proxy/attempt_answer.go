package proxy

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"
)

// errBodyIdle is the cause of a context that ended because an answer stalled.
var errBodyIdle = errors.New("the upstream sent nothing for timeouts.body_idle")

// answerBody is the body of an upstream's answer. Its end is the end of the
// attempt, and a stall is an end too. Waiting counts only while someone reads:
// a slow caller is not the upstream's fault.
type answerBody struct {
	body io.ReadCloser
	run  *run
	idle time.Duration // 0 = no bound
	// timer ends the attempt; it runs only during a Read.
	timer *time.Timer
	once  sync.Once
}

func newAnswerBody(body io.ReadCloser, r *run, idle time.Duration) *answerBody {
	b := &answerBody{body: body, run: r, idle: idle}
	if idle > 0 {
		b.timer = time.AfterFunc(idle, func() { r.cancel(errBodyIdle) })
		b.timer.Stop()
	}
	return b
}

// Read implements [io.Reader].
func (b *answerBody) Read(p []byte) (int, error) {
	if b.timer != nil {
		b.timer.Reset(b.idle)
	}
	n, err := b.body.Read(p)
	if b.timer != nil {
		b.timer.Stop()
	}
	if err == io.EOF {
		b.end(FailedNot)
		return n, err
	}
	if err != nil {
		kind := classifyBody(context.Cause(b.run.ctx))
		b.end(kind)
		err = &failure{kind: kind, err: err}
	}
	return n, err
}

// Close implements [io.Closer]. Before the end of the body it means that the
// caller does not want the rest; the connection is then not used again.
func (b *answerBody) Close() error {
	b.end(FailedCallerGone)
	return b.body.Close()
}

// end is called for every way in which the body can end; the first one counts.
func (b *answerBody) end(kind FailureKind) {
	b.once.Do(func() {
		if b.timer != nil {
			b.timer.Stop()
		}
		b.run.end(kind)
	})
}

// classifyBody says why an answer broke off, from what ended the attempt's
// context, if anything did.
func classifyBody(cause error) FailureKind {
	switch {
	case cause == nil:
		return FailedBody
	case errors.Is(cause, errBodyIdle):
		return FailedBodyIdle
	case isDeadline(cause):
		return classifyDeadline(cause)
	default:
		return FailedCallerGone
	}
}
