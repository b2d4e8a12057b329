package observability

import (
	"cmp"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"iqgateway/internal/exchange"
)

// ended is an exchange or work that has ended and whose trace is kept.
type ended struct {
	Record

	peer      string
	protocol  string // version of HTTP that the caller spoke
	encrypted bool
	scheme    string // of the upstream
	write     bool   // it may have changed something
	work      Work   // what it was, but for the Exchange
}

// span is a span as it is exported.
type span struct {
	name    string
	kind    trace.SpanKind
	id      exchange.SpanID
	at, end time.Time
	attrs   []attribute.KeyValue
	failed  string // "" = its status is no error
	link    exchange.Link
}

// spans is how many spans e becomes.
func (e *ended) spans() int { return spansIn(len(e.Waits), len(e.Tries), e.Cache.Result) }

func spansIn(waits, tries int, looked exchange.CacheResult) int {
	n := 1 + waits + tries
	if looked != exchange.CacheNone {
		n++
	}
	return n
}

// spansOf makes the spans of e: the first is the parent of the others, which stand
// in the order in which they began. They hold no path, query, field or body.
func spansOf(e *ended) []span {
	spans := make([]span, 0, e.spans())
	if e.Work {
		spans = append(spans, workSpan(e))
	} else {
		spans = append(spans, serverSpan(e))
	}
	if e.Cache.Result != exchange.CacheNone {
		spans = append(spans, lookupSpan(e))
	}
	for i := range e.Waits {
		spans = append(spans, waitSpan(e, &e.Waits[i]))
	}
	for i := range e.Tries {
		spans = append(spans, trySpan(e, i))
	}
	slices.SortStableFunc(spans[1:], func(a, b span) int { return a.at.Compare(b.at) })
	return spans
}

// serverSpan is the exchange itself.
func serverSpan(e *ended) span {
	name := spanMethod(e.Method)
	if e.Route != "" {
		name += " " + e.Route
	}
	s := span{
		name: name, kind: trace.SpanKindServer, id: e.Trace.Span, link: e.Link,
		at: e.Start, end: e.Start.Add(e.Duration), attrs: make([]attribute.KeyValue, 0, 20),
	}
	s.text("http.request.method", e.Method)
	s.text("http.route", e.Route)
	s.number("http.response.status_code", int64(e.Status))
	s.text("url.scheme", map[bool]string{false: "http", true: "https"}[e.encrypted])
	s.text("network.protocol.version", e.protocol)
	s.text("client.address", clientAddress(e.peer))
	s.text("iqgw.request_id", e.ID)
	s.about(&e.Record)
	s.text("iqgw.class", e.Class)
	s.text("iqgw.cache.result", string(e.Cache.Result))
	if e.Breaker != exchange.BreakerClosed { // there may be no attempt that tells
		s.text("iqgw.breaker.state", e.Breaker)
	}
	s.text("iqgw.outcome", cmp.Or(e.Outcome, "ok"))
	if e.write {
		s.text("iqgw.write.outcome", string(e.Unsure))
	}
	s.text("iqgw.headers.dropped", e.Dropped)
	s.text("iqgw.config", e.Config)
	s.text("iqgw.override", e.Overrides)
	switch {
	case e.Outcome == outcomeClientGone: // no fault of anybody's here
		s.text("error.type", e.Outcome)
	case e.Outcome == outcomeAborted, e.Status >= http.StatusInternalServerError:
		s.fail(cmp.Or(errorName(e.Outcome), strconv.Itoa(e.Status)))
	default:
		s.text("error.type", e.Outcome)
	}
	return s
}

// workSpan is work in the background.
func workSpan(e *ended) span {
	s := span{
		name: e.Method, kind: trace.SpanKindInternal, id: e.Trace.Span, link: e.Link,
		at: e.Start, end: e.Start.Add(e.Duration),
	}
	s.about(&e.Record)
	s.text("http.route", e.Route)
	s.text("iqgw.token.reason", e.work.Reason)
	if e.work.Generation != 0 {
		s.number("iqgw.token.generation", int64(e.work.Generation))
	}
	s.text("iqgw.outcome", cmp.Or(e.Outcome, "ok"))
	if e.Outcome != "" {
		s.fail(e.Outcome)
	}
	return s
}

// lookupSpan is what the cache did.
func lookupSpan(e *ended) span {
	s := e.child("cache.lookup", trace.SpanKindInternal, e.Cache.At, e.Cache.At+e.Cache.Time)
	s.text("iqgw.cache.result", string(e.Cache.Result))
	s.text("iqgw.cache.reason", e.Cache.Reason)
	return s
}

// waitSpan is something that an attempt asked for.
func waitSpan(e *ended, w *exchange.Wait) span {
	s := e.child(string(w.Kind), trace.SpanKindInternal, w.At, w.At+w.Took)
	s.link = w.Link
	switch w.Kind {
	case exchange.WaitQuota:
		s.text("iqgw.quota.bucket", w.Bucket)
		s.text("iqgw.quota.result", w.Result)
		s.attrs = append(s.attrs, attribute.Float64("iqgw.quota.wait", w.Took.Seconds()))
		if w.Limit != 0 || w.Remaining != 0 {
			s.number("iqgw.quota.limit", w.Limit)
			s.number("iqgw.quota.remaining", w.Remaining)
		}
	case exchange.WaitToken:
		s.text("iqgw.credential", e.Credential)
		s.text("iqgw.token.result", w.Result)
		if w.Generation != 0 {
			s.number("iqgw.token.generation", int64(w.Generation))
		}
	case exchange.WaitSlot:
		s.text("iqgw.slot.result", w.Result)
	}
	if w.Failed {
		s.fail(w.Result)
	}
	return s
}

// trySpan is the i-th attempt, until the end of its answer's body. A body that
// others still read when the exchange ended is told of until then.
func trySpan(e *ended, i int) span {
	try := &e.Tries[i]
	end, failure := try.At+try.Took, try.Failure
	if took, broken, ok := try.Body.Get(); ok {
		end, failure = try.At+took, cmp.Or(failure, broken)
	} else if try.Body != nil {
		end = e.Duration
	}
	method := e.tried()
	s := e.child(spanMethod(method), trace.SpanKindClient, try.At, end)
	if try.Span != (exchange.SpanID{}) {
		s.id = try.Span
	}
	s.text("http.request.method", method)
	host, port := splitHost(try.Host, e.scheme)
	s.text("server.address", host)
	if port != 0 {
		s.number("server.port", int64(port))
	}
	if try.Status != 0 {
		s.number("http.response.status_code", int64(try.Status))
	}
	if n := e.resends(i); n > 0 {
		s.number("http.request.resend_count", int64(n))
	}
	s.text("iqgw.breaker.state", try.Breaker)
	if failure == "" && try.Status >= http.StatusBadRequest {
		failure = strconv.Itoa(try.Status)
	}
	if failure != "" {
		s.fail(failure)
	}
	return s
}

// resends is how many times the request had been sent before the i-th attempt's
// last sending: by earlier attempts, and by the transport itself.
func (e *ended) resends(i int) int {
	n := i
	for _, t := range e.Tries[:i+1] {
		n += t.Resent
	}
	return n
}

// tried is the method of the attempts.
func (e *ended) tried() string {
	if e.Work {
		return e.work.Method
	}
	return e.Method
}

// child is a span within the first one; what outlasts that is cut.
func (e *ended) child(name string, kind trace.SpanKind, at, end time.Duration) span {
	at = min(at, e.Duration)
	end = max(at, min(end, e.Duration))
	return span{name: name, kind: kind, id: exchange.NewSpanID(), at: e.Start.Add(at), end: e.Start.Add(end)}
}

// about names what an exchange or work is about.
func (s *span) about(r *Record) {
	if r.Caller != nil {
		s.text("iqgw.caller", r.Caller.Name)
	}
	s.text("iqgw.environment", r.Environment)
	s.text("iqgw.service", r.Service)
	s.text("iqgw.credential", r.Credential)
}

func (s *span) text(key, value string) {
	if value != "" {
		s.attrs = append(s.attrs, attribute.String(key, value))
	}
}

func (s *span) number(key string, value int64) {
	s.attrs = append(s.attrs, attribute.Int64(key, value))
}

// fail makes s one that failed, for a reason of a closed set.
func (s *span) fail(reason string) {
	s.failed = reason
	s.text("error.type", reason)
}

// clientAddress is a peer without its port, as OpenTelemetry's conventions have it.
func clientAddress(peer string) string {
	if ip := addressOf(peer); ip.IsValid() {
		return ip.String()
	}
	return peer
}

// spanMethod is a method in the name of a span.
func spanMethod(method string) string {
	if method == otherMethod {
		return "HTTP"
	}
	return method
}

// splitHost returns the port that stands in host, or else the scheme's own.
func splitHost(host, scheme string) (name string, port int) {
	name, text, err := net.SplitHostPort(host)
	if err != nil {
		name, text = host, exchange.DefaultPort(scheme)
	}
	port, _ = strconv.Atoi(text)
	return name, port
}

// upstreamScheme is how the attempts of ex went out.
func upstreamScheme(ex *exchange.Exchange) string {
	if ex.Upstream == nil {
		return "https"
	}
	return ex.Upstream.Scheme
}
