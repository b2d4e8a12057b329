package proxy

import (
	"context"
	"net/http"
	"net/http/httptrace"

	"iqgateway/internal/exchange"
)

// outgoing returns the request as the transport gets it.
func (n *run) outgoing(ctx context.Context, r *http.Request, authorizer exchange.Authorizer) *http.Request {
	out := r.WithContext(httptrace.WithClientTrace(ctx, n.trace.hooks()))
	out.Header = r.Header.Clone()
	hideIdempotencyKeys(out.Header)
	delete(out.Header, "Authorization")
	n.traced(out.Header)
	if authorizer != nil {
		authorizer.Authorize(out.Header)
	}
	out.GetBody = nil // the transport must not rewind by itself
	if r.Body == http.NoBody {
		out.Body = nil
	}
	if out.Body == nil && n.exchange.Target.Write && isSafe(r.Method) {
		out.Body = unrepeatable{}                   // a GET with side effects (/Import/…)
		out.TransferEncoding = []string{"identity"} // else net/http looks for content, and frames it as such where that takes long
	}
	return out
}

// hideIdempotencyKeys moves two fields to lower-case keys. net/http's transport
// repeats an unsafe request on a dying connection when it finds them under
// their canonical names; this way they reach the upstream all the same (field
// names are case-insensitive, RFC 9110 section 5.1) and nothing runs twice.
func hideIdempotencyKeys(h http.Header) {
	hideKey(h, "Idempotency-Key", "idempotency-key")
	hideKey(h, "X-Idempotency-Key", "x-idempotency-key")
}

func hideKey(h http.Header, canonical, hidden string) {
	if values, ok := h[canonical]; ok {
		delete(h, canonical)
		h[hidden] = values
	}
}

// isSafe reports whether net/http itself would repeat requests of this method.
func isSafe(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

// send makes the round trip. It steps over pooled connections that were dead
// before anything of the request was written to them.
func (n *run) send() (*http.Response, error) {
	n.start = n.now()
	n.exchange.Attempts++
	n.exchange.UpstreamStatus = 0
	for stale := 0; ; stale++ {
		body := n.lendBody()
		res, err := n.transport.RoundTrip(n.out)
		if err != nil && stale < maxStale && n.ctx.Err() == nil && (n.trace.stale() || isUnwritten(err)) &&
			(body == nil || body.Revoke()) {
			continue
		}
		if err != nil && n.fallBack(body) {
			continue
		}
		if body != nil {
			body.Finish()
		}
		return res, err
	}
}

// lendBody gives the next try its own hold on the body; nil without one.
func (n *run) lendBody() *sentBody {
	if n.request.Body == nil || n.request.Body == http.NoBody {
		return nil
	}
	b := &sentBody{body: n.request.Body, watch: &n.upload}
	n.out.Body = b
	return b
}

// fail ends an attempt that got no answer.
func (n *run) fail(err error) error {
	e := evidence{
		err:       err,
		connected: n.trace.connected(),
		reused:    n.trace.onReused(),
		sent:      n.trace.sent() && !isUnprocessed(err),
		write:     n.exchange.Target.Write,
		https:     n.out.URL.Scheme == "https",
	}
	if e.refusesCertificate() {
		e.sent = false
	}
	if n.ctx.Err() != nil {
		e.cause = context.Cause(n.ctx)
	}
	body, _ := n.out.Body.(*sentBody)
	if body != nil {
		if isDeadline(e.cause) {
			body.settle()
		}
		e.body = body.Err()
	}
	kind := classify(e)
	n.broken(kind)
	n.end(kind)
	n.tried(exchange.Try{Failure: string(kind), Took: n.info.Duration})
	n.exchange.Attempts += n.info.Resends
	if body != nil {
		body.rethrow()
	}
	rethrowDial(err)
	return e.problem(n.info.Service)
}

// answer returns res with a body whose end is the end of the attempt. It is a
// copy, so that trailers which arrive with the body stay on the original.
func (n *run) answer(res *http.Response) *http.Response {
	n.upload.end()
	n.answered(res)
	n.info.Status = res.StatusCode
	n.info.HTTP2 = res.ProtoMajor == 2
	n.info.HeaderTime = n.now().Sub(n.start)
	n.exchange.Attempts += n.trace.resends()
	n.exchange.UpstreamStatus = res.StatusCode
	n.exchange.UpstreamTime = n.info.HeaderTime
	n.body = new(exchange.BodyEnd) // by itself: what it is told with outlives the attempt
	n.tried(exchange.Try{Status: res.StatusCode, Took: n.info.HeaderTime, Body: n.body})

	passed := *res
	passed.Request = n.request
	passed.Trailer = nil
	body := newAnswerBody(res.Body, n, n.service.options.BodyIdle)
	if res.Body == http.NoBody { // whoever closes it unread gives nothing up
		body.end(FailedNot)
	}
	passed.Body = body
	return &passed
}
