package tokencache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"iqgateway/internal/exchange"
	"iqgateway/internal/tape"
)

// StageOptions are the settings of [Set.Stage]; the zero value works.
type StageOptions struct {
	// ReplayBuffer is how many bytes of a request body are kept until the
	// upstream answers, so that a request can be sent again after a 401;
	// 0 = 64 KiB. A request that has sent more fails instead. Each request
	// with a body in flight may hold this much memory.
	ReplayBuffer int
}

// Stage returns the outbound stage that makes sure of a token. For a target
// with bearer authentication it has a valid token before anything below runs
// (and spends quota), and leaves what writes it in the request's context for
// [exchange.AuthorizerFrom]. A 401 replaces the token and is answered by
// sending the request once more, through everything below again, if the
// exchange may make another attempt; a caller never sees a 401 that was about
// our credential. A 403 is an answer like any other: another token would change
// nothing.
//
// The errors are *[exchange.Problem]: TokenUnavailable and
// UpstreamCredentialRejected, both with Outcome NotExecuted, and the context's
// own error when the caller left.
//
// A token that the caller brought itself ([exchange.Exchange].Own) is passed on
// instead, whatever the answer: a 401 is about it.
func (s *Set) Stage(o StageOptions) func(http.RoundTripper) http.RoundTripper {
	if o.ReplayBuffer <= 0 {
		o.ReplayBuffer = 64 << 10
	}
	return func(next http.RoundTripper) http.RoundTripper {
		return &stage{set: s, next: next, buffer: o.ReplayBuffer}
	}
}

type stage struct {
	set    *Set
	next   http.RoundTripper
	buffer int
}

// RoundTrip implements [http.RoundTripper].
func (s *stage) RoundTrip(req *http.Request) (*http.Response, error) {
	ex := exchange.From(req.Context())
	if ex.Target == nil || !wantsToken(ex.Target) {
		return s.next.RoundTrip(req)
	}
	if ex.Own != nil { // what becomes of it is between its caller and the upstream
		return s.next.RoundTrip(prepare(req, ex.Own, req.Body))
	}
	id := ID{Environment: ex.Target.Environment, Credential: ex.Credential}
	since := time.Now()
	e, t, f, err := s.set.acquire(req.Context(), id)
	ex.TokenWait += note(ex, since, t, f, err)
	if err != nil {
		exchange.CloseBody(req)
		return nil, problemOf(req.Context(), id, err)
	}
	return s.attempt(req, ex, e, t)
}

// wantsToken: a path of the anonymous policy is counted by another upstream
// quota, which a token would leave.
func wantsToken(t *exchange.Target) bool {
	return t.Authentication == "bearer" && t.Policy != "anonymous"
}

// attempt sends req, and once more when its token is refused.
func (s *stage) attempt(req *http.Request, ex *exchange.Exchange, e *entry, t *token) (*http.Response, error) {
	spare, body := s.spare(req)
	first := &ticket{entry: e, held: t}
	resp, err := s.next.RoundTrip(prepare(req, first, body))
	if err == nil {
		first.answered(req.Context(), resp.StatusCode)
	}
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		spare.Stop()
		return resp, err
	}
	exchange.Discard(resp)
	refused := first.wrote.Load()
	since := time.Now()
	t, f, err := e.replace(req.Context(), refused)
	note(ex, since, t, f, err)
	replayed := false
	defer func() {
		s.set.cache.options.Hooks.rejected(RejectInfo{ID: e.id, Service: ex.Target.Service, Generation: refused.generation(), Replayed: replayed, Exchange: ex})
	}()
	if err != nil {
		spare.Abandon()
		if isKept(err) {
			return nil, rejectedProblem(e.id, ex, whyKept(e.id, err)).Because(err)
		}
		return nil, problemOf(req.Context(), e.id, err)
	}
	if !ex.MayRepeat() {
		spare.Abandon()
		return nil, rejectedProblem(e.id, ex, "the token has been replaced, but all attempts of this request are made (retry.max_attempts): repeat the request")
	}
	body, replayed = again(req, spare)
	if !replayed {
		spare.Abandon()
		return nil, rejectedProblem(e.id, ex, "the token has been replaced, but this request's body is too large to be sent twice: repeat the request")
	}
	ex.Replays++
	return s.replay(req, ex, &ticket{entry: e, held: t}, body)
}

// spare returns the body of the first attempt, and where that of a second one
// comes from: from the request itself where it can tell (GetBody), so that no
// body is kept twice, or else from a tape.
func (s *stage) spare(req *http.Request) (*tape.Tape, io.ReadCloser) {
	if req.GetBody != nil {
		return nil, req.Body
	}
	return tape.Record(req.Body, s.buffer)
}

// again returns the body of the second and last attempt.
func again(req *http.Request, spare *tape.Tape) (io.ReadCloser, bool) {
	if req.GetBody != nil {
		body, err := req.GetBody()
		return body, err == nil
	}
	body, ok := spare.Rewind()
	if ok {
		spare.Stop()
	}
	return body, ok
}

// replay is the second and last attempt.
func (s *stage) replay(req *http.Request, ex *exchange.Exchange, second *ticket, body io.ReadCloser) (*http.Response, error) {
	resp, err := s.next.RoundTrip(prepare(req, second, body))
	if err == nil {
		second.answered(req.Context(), resp.StatusCode)
	}
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		return resp, err
	}
	exchange.Discard(resp)
	return nil, rejectedProblem(second.entry.id, ex, "also after its token was replaced")
}

// prepare returns a copy of req for one attempt. GetBody goes, so that the
// transport cannot repeat the request behind our back.
func prepare(req *http.Request, a exchange.Authorizer, body io.ReadCloser) *http.Request {
	out := req.WithContext(exchange.WithAuthorizer(req.Context(), a))
	out.Body, out.GetBody = body, nil
	return out
}

// problemOf turns the lack of a token into what the caller is told.
func problemOf(ctx context.Context, id ID, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) { // the caller left; nobody reads a problem
		return fmt.Errorf("waiting for a token: %w", context.Cause(ctx))
	}
	p := exchange.Refuse(exchange.TokenUnavailable,
		fmt.Sprintf("There is no valid token of credential %s in environment %s, and none could be had. Nothing was sent.", id.Credential, id.Environment))
	p.Outcome = exchange.NotExecuted
	if wait, ok := errors.AsType[*notReadyError](err); ok {
		p.RetryAfter = max(wait.retryAfter, time.Second)
		if wait.stopped {
			p.Detail += fmt.Sprintf(" Its account has been refused too often to be tried again by itself: once it is repaired, change its secrets or run `gateway token retry %s`.", id.Credential)
		}
	}
	return p.Because(err)
}

// whyKept continues "… answered 401 to the gateway's credential".
func whyKept(id ID, err error) string {
	if errors.Is(err, errNeverAccepted) {
		return fmt.Sprintf("as every upstream has to its present token, so that the account and not the token is at fault: "+
			"repair the account, then run `gateway token invalidate %s`", id.Credential)
	}
	return "its token was replaced moments ago, so it was not replaced again"
}

func rejectedProblem(id ID, ex *exchange.Exchange, why string) *exchange.Problem {
	p := exchange.Refuse(exchange.UpstreamCredentialRejected,
		fmt.Sprintf("%s answered 401 to the gateway's credential %s in environment %s, %s. Your own credentials are fine.",
			ex.Target.Service, id.Credential, id.Environment, why))
	p.Outcome = exchange.NotExecuted
	return p
}
