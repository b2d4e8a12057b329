package proxy

import (
	"net/http"

	"iqgateway/internal/exchange"
)

// tried notes the attempt in its exchange.
func (n *run) tried(t exchange.Try) {
	t.Span, t.Breaker, t.Resent = n.span, n.exchange.Breaker, n.trace.resends()
	t.Host = exchange.ShortHost(n.out.URL)
	n.exchange.Tried(n.start, t)
}

// traced writes where the attempt stands in its trace (W3C Trace Context, section
// 3) for an upstream that is trusted: below the caller itself where the attempt is
// told to nobody. No other ever gets a field of tracing, whatever was to be forwarded.
func (n *run) traced(h http.Header) {
	delete(h, fieldTraceparent)
	delete(h, fieldTracestate)
	trace := n.exchange.Trace
	if !n.service.options.TrustedTracing {
		delete(h, fieldBaggage)
		return
	}
	parent := n.span
	if !trace.Told {
		parent = trace.Parent
	}
	if trace.ID == (exchange.TraceID{}) || parent == (exchange.SpanID{}) { // it belongs to none
		return
	}
	h[fieldTraceparent] = []string{traceparent(trace, parent)}
	if trace.State != "" {
		h[fieldTracestate] = []string{trace.State}
	}
}

// traceparent names span as the parent of what the upstream does.
func traceparent(t exchange.Trace, span exchange.SpanID) string {
	flags := "-00"
	if t.Sampled {
		flags = "-01"
	}
	return "00-" + t.ID.String() + "-" + span.String() + flags
}
