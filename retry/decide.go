package retry

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"iqgateway/internal/exchange"
)

// Kind says what an error of the stages below is about.
type Kind int8

// The kinds of errors.
const (
	// KindOther is everything that a repetition would only bring again, or that
	// is not the upstream's: refusals of the gateway's own, the caller's deeds,
	// deadlines, prohibited addresses.
	KindOther Kind = iota
	// KindConnect is an attempt that got no connection.
	KindConnect
	// KindLost is an attempt whose connection ended, stalled or made no sense
	// before an answer came.
	KindLost
)

// Reason is why an attempt is repeated; it serves as a metric label.
type Reason string

// The reasons.
const (
	ReasonConnect     Reason = "connect"     // no connection
	ReasonUnprocessed Reason = "unprocessed" // the upstream says that it did not look at it
	ReasonLost        Reason = "lost"        // no answer on a connection that stood
	ReasonStatus      Reason = "status"      // an answer with one of Settings.Statuses
)

// Result is how a request ended that was, or might have been, repeated:
// [exchange.Exchange.RetryResult]. It serves as a metric label.
type Result string

// The results.
const (
	ResultNone       Result = ""            // there was nothing to repeat
	ResultAnswered   Result = "answered"    // a repetition brought the answer
	ResultFailed     Result = "failed"      // a repetition failed as none is repeated: the gateway refused it, time was up
	ResultAttempts   Result = "attempts"    // Settings.MaxAttempts were made
	ResultBudget     Result = "budget"      // the budget is spent
	ResultDeadline   Result = "deadline"    // a repetition could not end in time
	ResultUnsafe     Result = "unsafe"      // a write that may have been executed
	ResultBody       Result = "body"        // too much of the body is gone to send it again
	ResultRetryAfter Result = "retry_after" // the upstream wants a longer wait than is made here
	ResultLeft       Result = "left"        // the caller left
)

// outcome is what became of one attempt.
type outcome struct {
	reason Reason // why it is worth repeating; "" = it is not
	unsent bool   // the upstream has provably not looked at it
	kept   bool   // lost with a connection that had served before
	after  time.Duration
}

// judge says what became of an attempt.
func (u *upstream) judge(t *exchange.Target, resp *http.Response, err error, kind func(error) Kind, now time.Time) outcome {
	if err != nil {
		o := failed(kind(err), nothingSent(err))
		o.kept = onKeptConnection(err)
		return o
	}
	s := &u.settings
	if !slices.Contains(s.Statuses, resp.StatusCode) || s.Mistake != nil && s.Mistake(t, resp.StatusCode) {
		return outcome{}
	}
	return outcome{reason: ReasonStatus, after: retryAfter(resp.Header, now)}
}

func failed(kind Kind, unsent bool) outcome {
	switch {
	case kind == KindOther:
		return outcome{}
	case kind == KindConnect:
		return outcome{reason: ReasonConnect, unsent: unsent}
	case unsent:
		return outcome{reason: ReasonUnprocessed, unsent: true}
	default:
		return outcome{reason: ReasonLost}
	}
}

// repeatable reports whether a request may be sent again although an earlier
// attempt may have been executed. The method alone says little: there are GETs
// that change something, and POSTs that do not.
func (u *upstream) repeatable(t *exchange.Target, method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPost:
		if !t.Write {
			return true
		}
	}
	return slices.ContainsFunc(u.settings.Replayable, func(r ReplayableWrite) bool {
		return r.Method == method && r.Path.Match(t.Path)
	})
}

// nothingSent reports whether the upstream has provably not looked at the
// request of an attempt that failed.
func nothingSent(err error) bool {
	e, ok := errors.AsType[interface {
		error
		NothingSent() bool
	}](err)
	return ok && e.NothingSent()
}

// onKeptConnection reports whether an attempt was lost with a connection that had
// served before.
func onKeptConnection(err error) bool {
	e, ok := errors.AsType[interface {
		error
		OnKeptConnection() bool
	}](err)
	return ok && e.OnKeptConnection()
}
