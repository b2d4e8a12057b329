package proxy

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"iqgateway/internal/exchange"
)

// ErrorsOptions configure the rendering of gateway-made answers.
type ErrorsOptions struct {
	// Base is what a problem's "type" begins with, before "#" and the name of
	// its entry in docs/errors.md. Default "urn:iqgateway:errors": an
	// identifier that resolves nowhere, which RFC 9457 section 3.1.1 allows.
	Base string
	// Challenges are the WWW-Authenticate fields of a 401; the default asks
	// for a bearer key.
	Challenges []string
	// Headers says how much is told of quotas; the default is HeadersStandard.
	Headers HeaderMode
	// TraceURL returns where people see the trace of an exchange that is answered
	// with a status; nil or "" leaves the member out.
	TraceURL func(ex *exchange.Exchange, status int) string
}

// Errors is the one place that turns a failure into an answer.
type Errors struct {
	options ErrorsOptions
	specs   map[exchange.ProblemType]exchange.ProblemSpec
}

// NewErrors returns a renderer.
func NewErrors(o ErrorsOptions) *Errors {
	if o.Base == "" {
		o.Base = "urn:iqgateway:errors"
	}
	if len(o.Challenges) == 0 {
		o.Challenges = []string{`Bearer realm="` + Pseudonym + `"`}
	}
	if o.TraceURL == nil {
		o.TraceURL = func(*exchange.Exchange, int) string { return "" }
	}
	e := &Errors{options: o, specs: make(map[exchange.ProblemType]exchange.ProblemSpec)}
	for _, spec := range exchange.Specs() {
		e.specs[spec.Type] = spec
	}
	return e
}

// spec is [exchange.ProblemType.Spec] without its cost: a flood of refusals
// must stay cheap.
func (e *Errors) spec(t exchange.ProblemType) exchange.ProblemSpec {
	if s, ok := e.specs[t]; ok {
		return s
	}
	return t.Spec()
}

// Refuse answers r with the problem in err, or with an internal error that
// shows nothing of err. When the caller has left it answers nothing and aborts
// with [http.ErrAbortHandler]. It sets the exchange's Problem or Aborted.
//
// It must be called before anything was written to w.
func (e *Errors) Refuse(w http.ResponseWriter, r *http.Request, err error) {
	ex := exchange.From(r.Context())
	if callerLeft(r.Context(), err) {
		ex.Aborted = goneReason(r.Context())
		panic(http.ErrAbortHandler)
	}
	problem := problemOf(err)
	ex.Problem = problem

	spec := e.spec(problem.Type)
	body := e.document(problem, ex)
	h := w.Header()
	e.setHeader(h, problem, ex)
	if spec.Status == http.StatusUnauthorized && len(h.Values("Www-Authenticate")) == 0 {
		h["Www-Authenticate"] = e.options.Challenges
	}
	if mustClose(r, problem) {
		h.Set("Connection", "close")
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(spec.Status)
	if r.Method != http.MethodHead {
		// The caller may be gone by now, and there is no one else to tell.
		_, _ = w.Write(body)
	}
}

// callerLeft reports whether nobody waits for an answer any more. A passed
// deadline is not leaving. net/http also ends the context of an HTTP/1 request
// when reading its body fails, be it by a deadline of our own: what is known to
// be wrong with the body comes first.
func callerLeft(ctx context.Context, err error) bool {
	switch {
	case errors.Is(err, ErrCallerGone), isStreamEnd(err):
		return true
	case isBodyFault(err):
		return false
	}
	return errors.Is(context.Cause(ctx), context.Canceled)
}

// problemOf finds the problem in err, or makes one.
func problemOf(err error) *exchange.Problem {
	var problem *exchange.Problem
	var body *ClientBodyError
	switch {
	case errors.As(err, &problem):
		return problem
	case errors.As(err, &body):
		return body.Problem()
	case errors.Is(err, errTotal), errors.Is(err, context.DeadlineExceeded):
		return exchange.Refuse(exchange.UpstreamTimeout, "the deadline of the request passed before an answer came").Because(err)
	default:
		return exchange.Refuse(exchange.InternalError, "the gateway failed on this request; report it with the request id").Because(err)
	}
}

// setHeader replaces whatever describes another answer.
func (e *Errors) setHeader(h http.Header, p *exchange.Problem, ex *exchange.Exchange) {
	for _, name := range []string{
		"Content-Encoding", "Content-Range", "Content-Location", "Location",
		"Etag", "Last-Modified", "Age", "Expires", "Vary", "Trailer", "Transfer-Encoding",
	} {
		h.Del(name)
	}
	for name, values := range p.Header {
		h[http.CanonicalHeaderKey(name)] = values
	}
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Via", via)
	h.Set("Proxy-Status", e.proxyStatus(p))
	if ex.Cache.Result != exchange.CacheNone {
		h["Cache-Status"] = []string{string(appendCacheStatus(nil, ex.Cache))}
		if e.options.Headers != HeadersMinimal {
			h["Server-Timing"] = []string{string(e.options.Headers.appendTimings(nil, ex))}
		}
	}
	if ex.ID != "" {
		h.Set("X-Request-Id", ex.ID)
	}
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.FormatInt(retrySeconds(p.RetryAfter), 10))
	}
	e.options.Headers.setQuota(h, ex, e.spec(p.Type).Status)
}

// retrySeconds rounds up: a caller that comes back on the second must not be
// too early.
func retrySeconds(d time.Duration) int64 {
	return max(1, wholeSeconds(d))
}

// mustClose reports whether the connection cannot, or should not, carry another
// request. Over HTTP/2 a refusal ends with its stream, and the requests beside it
// have done nothing wrong; what ends the connection there is a tunnel, and
// overload: GOAWAY lets the streams end and takes the next ones elsewhere.
func mustClose(r *http.Request, p *exchange.Problem) bool {
	if r.ProtoMajor >= 2 {
		return p.Close && (p.Type == exchange.ConnectNotSupported || p.Type == exchange.GatewayOverloaded)
	}
	if p.Close {
		return true
	}
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return false
	}
	consumed, ok := r.Body.(interface{ Consumed() bool })
	return !ok || !consumed.Consumed()
}
