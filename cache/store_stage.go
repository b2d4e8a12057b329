package cache

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"iqgateway/internal/exchange"
	"iqgateway/internal/steady"
)

// store is the outbound stage.
type store struct {
	*Stages
	next http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (s *store) RoundTrip(req *http.Request) (*http.Response, error) {
	ex := exchange.From(req.Context())
	q := questionOf(req.Context())
	switch {
	case ex.Target != nil && ex.Target.Write:
		return s.write(req, ex)
	case q == nil:
		return s.next.RoundTrip(req)
	case q.method == http.MethodHead:
		return s.head(req, ex, q)
	}
	return s.fetch(req, ex, q)
}

// fetch answers a question that memory could not answer.
func (s *store) fetch(req *http.Request, ex *exchange.Exchange, q *question) (*http.Response, error) {
	c, key := s.cache, q.flight()
	begin := c.now()
	switch {
	case !q.refresh && c.failing.has(key, begin) && mayServeOnError(q.stored, q.want, begin):
		exchange.CloseBody(req)
		return s.stale(req, ex, q, "backoff", 0), nil
	case q.want.NoStore || c.notShared.has(key, begin):
		return s.pass(req, ex, q)
	}
	fl, leads := c.flights.join(key, q, ex.Class, c)
	if leads {
		s.start(fl, req, ex, q)
		return s.lead(req, ex, q, fl)
	}
	exchange.CloseBody(req)
	select {
	case <-fl.done:
		ex.Cache.Time += c.now().Sub(begin)
	case <-req.Context().Done():
		ex.Cache.Time += c.now().Sub(begin)
		return nil, context.Cause(req.Context())
	}
	return s.follow(req, ex, q, fl)
}

// lead gives the leader of a flight its answer.
func (s *store) lead(req *http.Request, ex *exchange.Exchange, q *question, fl *flight) (*http.Response, error) {
	exchange.CloseBody(req)
	var a leadAnswer
	select {
	case a = <-fl.lead:
	case <-req.Context().Done():
		go steady.Try(func() { s.abandon(fl, q) }, s.cache.panicked)
		return nil, context.Cause(req.Context())
	}
	takeOver(ex, a.spent)
	if err := a.complete(req, fl); err != nil {
		return nil, err
	}
	switch {
	case a.object != nil:
		return s.found(req, ex, q, a.object, a.from), nil
	case s.instead(q, a.response, a.err):
		return s.insteadOf(req, ex, q, a.response, a.err), nil
	case a.err != nil:
		return nil, a.err
	}
	ex.CacheDecided(exchange.CacheView{
		Result: exchange.CacheMiss, Reason: q.reason, Time: ex.Cache.Time,
		Status: cacheStatus{fwd: q.reason, fwdStatus: a.response.StatusCode, stored: a.stored}.String(),
	})
	a.response.Request = req
	a.response.Body = led(req.Context(), a.response.Body)
	return s.conditional(req, q, a.response), nil
}

// complete waits for the whole answer where a part of it was asked for: the part
// is cut from what is stored. What is not stored after all is given whole.
func (a *leadAnswer) complete(req *http.Request, fl *flight) error {
	if a.response == nil || len(req.Header["Range"]) == 0 {
		return nil
	}
	if _, storing := a.response.Body.(*stream); !storing {
		return nil
	}
	select {
	case <-fl.done:
	case <-req.Context().Done():
		_ = a.response.Body.Close()
		return context.Cause(req.Context())
	}
	if fl.object != nil {
		_ = a.response.Body.Close()
		a.response, a.object, a.from = nil, fl.object, fl.result
	}
	return nil
}

// led has a body end with its leader: only what is to be stored goes on.
func led(ctx context.Context, body io.ReadCloser) io.ReadCloser {
	switch b := body.(type) {
	case *stream:
		b.ctx = ctx
		context.AfterFunc(ctx, b.fill.leave)
	case *watched:
		context.AfterFunc(ctx, b.run.cancel)
	}
	return body
}

// conditional evaluates the caller's own conditions against the answer to a
// request that had none.
func (s *store) conditional(req *http.Request, q *question, resp *http.Response) *http.Response {
	o := &Object{Status: resp.StatusCode, Header: resp.Header}
	if resp.StatusCode != http.StatusOK || evaluate(req.Header, o, q.method).status != http.StatusNotModified {
		return resp
	}
	_ = resp.Body.Close()
	h := http.Header{}
	outcome{status: http.StatusNotModified}.prepare(h, o)
	return response(req, h, reply{status: http.StatusNotModified})
}

// follow gives what a flight brought to those who did not lead it.
func (s *store) follow(req *http.Request, ex *exchange.Exchange, q *question, fl *flight) (*http.Response, error) {
	switch {
	case fl.object != nil && isForAll(fl.object) && (fl.result != shared || s.suits(fl.object, q)):
		ex.CacheDecided(exchange.CacheView{
			Result: exchange.CacheCoalesced, Reason: q.reason, Saved: 1, Time: ex.Cache.Time,
			Status: cacheStatus{fwd: q.reason, fwdStatus: fl.object.Status, collapsed: true}.String(),
		})
		if !q.refresh { // else it names who had it done
			ex.Link = fl.link(ex.Caller)
		}
		return s.respond(req, q, fl.object), nil
	case q.refresh && fl.err != nil: // nobody waits for it
		return nil, fl.err
	case isFailure(fl.err) && mayServeOnError(q.stored, q.want, s.cache.now()):
		return s.stale(req, ex, q, "coalesced", 0), nil
	}
	leave, err := s.cache.alone.enter(req.Context(), fl.key)
	if err != nil {
		return nil, err
	}
	held := false
	defer func() {
		if !held { // an error, or a panic of the stages below
			leave()
		}
	}()
	resp, err := s.pass(req, ex, q)
	if err != nil {
		return nil, err
	}
	resp.Body, held = &heldBody{ReadCloser: resp.Body, leave: leave}, true
	return resp, nil
}

// isForAll reports whether an answer may be given to those who waited for it. One
// that may be reused only after it was confirmed may not (RFC 9111, sections
// 5.2.2.2, 5.2.2.4 and 5.2.2.10).
func isForAll(o *Object) bool {
	return !o.Revalidate && (o.AllowStale || o.Age < o.Lifetime)
}

// suits reports whether what another replica has stored, and nobody has asked
// the upstream about now, is what a caller's directives allow.
func (s *store) suits(o *Object, q *question) bool {
	v, _ := reuse(o, q.want, s.cache.now())
	return v == verdictFresh
}

// heldBody gives its place back when it has ended.
type heldBody struct {
	io.ReadCloser
	leave func()
}

// Close implements [io.Closer].
func (b *heldBody) Close() error {
	b.leave()
	return b.ReadCloser.Close()
}

// pass asks the upstream for one request alone, as it came; nothing is stored.
func (s *store) pass(req *http.Request, ex *exchange.Exchange, q *question) (*http.Response, error) {
	out := req
	if q.body != nil { // an earlier stage may have read it
		exchange.CloseBody(req)
		out = req.Clone(req.Context())
		setBody(out, q.body)
	}
	resp, err := s.next.RoundTrip(out)
	if s.instead(q, resp, err) {
		return s.insteadOf(req, ex, q, resp, err), nil
	}
	if err != nil {
		return nil, err
	}
	ex.CacheDecided(exchange.CacheView{
		Result: exchange.CacheMiss, Reason: q.reason, Time: ex.Cache.Time,
		Status: cacheStatus{fwd: q.reason, fwdStatus: resp.StatusCode}.String(),
	})
	return resp, nil
}

// instead reports whether the stored answer takes the place of a failure (RFC
// 5861, section 4).
func (s *store) instead(q *question, resp *http.Response, err error) bool {
	failed := err != nil && isFailure(err) || resp != nil && isFailed(resp.StatusCode)
	return failed && !q.refresh && mayServeOnError(q.stored, q.want, s.cache.now())
}

// insteadOf answers with the stored answer, and lets the upstream rest.
func (s *store) insteadOf(req *http.Request, ex *exchange.Exchange, q *question, resp *http.Response, err error) *http.Response {
	status, why := 0, "error"
	if resp != nil {
		status = resp.StatusCode
		_ = resp.Body.Close()
	}
	if p, ok := errors.AsType[*exchange.Problem](err); ok {
		why = string(p.Type)
	}
	s.cache.failing.set(q.flight(), s.cache.now().Add(restAfterFailed))
	return s.stale(req, ex, q, why, status)
}

// stale answers with the stored answer although it is not fresh.
func (s *store) stale(req *http.Request, ex *exchange.Exchange, q *question, why string, status int) *http.Response {
	o := q.stored
	view := exchange.CacheView{Result: exchange.CacheStale, Reason: why, Time: ex.Cache.Time}
	line := cacheStatus{fwd: fwdStale, fwdStatus: status, detail: why}
	if ex.Attempts == 0 { // nothing was sent
		view.Saved = 1
		line = cacheStatus{hit: true, hasTTL: true, ttl: o.Lifetime - currentAge(o, s.cache.now()), detail: why}
	}
	view.Status = line.String()
	ex.CacheDecided(view)
	return s.respond(req, q, o)
}

// found answers a leader with an object.
func (s *store) found(req *http.Request, ex *exchange.Exchange, q *question, o *Object, from flightResult) *http.Response {
	view := exchange.CacheView{Result: exchange.CacheMiss, Reason: q.reason, Time: ex.Cache.Time}
	line := cacheStatus{fwd: q.reason, fwdStatus: o.Status, stored: true}
	switch from {
	case fetched:
	case confirmed:
		view.Result, line.fwdStatus = exchange.CacheRevalidated, http.StatusNotModified
	case shared:
		view.Result, view.Reason, view.Saved = exchange.CacheHit, "", 1
		line = cacheStatus{hit: true, hasTTL: true, ttl: o.Lifetime - currentAge(o, s.cache.now()), detail: "shared"}
	}
	view.Status = line.String()
	ex.CacheDecided(view)
	return s.respond(req, q, o)
}

// respond makes a response from a stored answer.
func (s *store) respond(req *http.Request, q *question, o *Object) *http.Response {
	h := http.Header{}
	reply := evaluate(req.Header, o, q.method).prepare(h, o)
	setAge(h, currentAge(o, s.cache.now()))
	return response(req, h, reply)
}

func response(req *http.Request, h http.Header, r reply) *http.Response {
	return &http.Response{
		StatusCode: r.status, Status: http.StatusText(r.status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Body: replyBody(r), ContentLength: r.length, Request: req,
	}
}

func replyBody(r reply) io.ReadCloser {
	if len(r.parts) == 0 {
		return io.NopCloser(bytes.NewReader(r.whole))
	}
	readers := make([]io.Reader, 0, 2*len(r.parts)+1)
	for _, p := range r.parts {
		readers = append(readers, strings.NewReader(p.head), bytes.NewReader(p.body))
	}
	return io.NopCloser(io.MultiReader(append(readers, strings.NewReader(r.tail))...))
}

// takeOver books what a shared fetch took to the exchange that began it.
func takeOver(ex, spent *exchange.Exchange) {
	if spent == nil || spent == ex {
		return
	}
	ex.Attempts += spent.Attempts
	ex.Upstream, ex.UpstreamStatus, ex.Account, ex.Replays = spent.Upstream, spent.UpstreamStatus, spent.Account, spent.Replays
	ex.TokenWait, ex.UpstreamTime = spent.TokenWait, spent.UpstreamTime
	ex.QuotaBucket, ex.QuotaWait, ex.QuotaResult = spent.QuotaBucket, spent.QuotaWait, spent.QuotaResult
	ex.QuotaSource, ex.QuotaView = spent.QuotaSource, spent.QuotaView
	ex.Retries, ex.RetryResult, ex.Breaker = spent.Retries, spent.RetryResult, spent.Breaker
	ex.Tries = append(ex.Tries, spent.Tries...)
	ex.Waits = append(ex.Waits, spent.Waits...)
}

// isFailed reports the statuses for which a stale answer may stand in (RFC 5861,
// section 4).
func isFailed(status int) bool {
	switch status {
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// isFailure reports the errors for which one may: nothing came from the
// upstream, or it was not asked because it is sick or its quota is spent.
func isFailure(err error) bool {
	if errors.Is(err, errUpstreamFailed) {
		return true
	}
	p, ok := errors.AsType[*exchange.Problem](err)
	return ok && slices.Contains([]exchange.ProblemType{
		exchange.UpstreamUnreachable, exchange.UpstreamTimeout, exchange.UpstreamProtocol, exchange.UpstreamTLS,
		exchange.BreakerOpen, exchange.UpstreamBusy,
		exchange.TokenUnavailable, exchange.QuotaExceeded, exchange.QuotaUnavailable,
	}, p.Type)
}
