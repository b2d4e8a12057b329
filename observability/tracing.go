package observability

import (
	"context"
	"encoding/binary"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"

	"iqgateway/internal/exchange"
)

// TracingOptions are which exchanges of a generation become traces.
type TracingOptions struct {
	// Traces is where they go; nil, like an Export of false, keeps none.
	Traces *Traces
	Export bool
	// Sample is the part of new traces that is kept, 0 to 1, decided by the trace
	// id as all OpenTelemetry SDKs do: those that were asked alike agree.
	Sample float64
	// IgnoreParent has Sample decide of traces, too, that began elsewhere. Else the
	// caller's sampled flag does.
	IgnoreParent bool
	// Errors, Refused and Slow keep what the sample drops, of callers that are
	// known: answers of 5xx or cut ones, refusals of the gateway's own, and what
	// took as long as Slow; 0 = none for that. Of each kind these are 50 a second at
	// most, after a burst of 500: a storm of them is not to displace the others.
	// Errors also keep background work that failed.
	Errors, Refused bool
	Slow            time.Duration
	// URL is where people see a trace, with {trace_id} in it; "" = nowhere.
	URL string
	// Exemplars has durations name the trace that they are of.
	Exemplars bool
}

// Tracing decides of each exchange whether it is traced. A nil *Tracing traces
// none.
type Tracing struct {
	options       TracingOptions
	bound         uint64 // below it an id is sampled
	before, after string // of URL, around the id
}

// NewTracing returns the rules of a generation.
func NewTracing(o TracingOptions) *Tracing {
	t := &Tracing{options: o}
	if o.Traces == nil || !o.Export {
		t.options.Export, t.options.Sample = false, 0
	}
	t.bound = uint64(min(max(t.options.Sample, 0), 1) * (1 << 63))
	t.before, t.after, _ = strings.Cut(o.URL, "{trace_id}")
	return t
}

// sampled is what TraceIDRatioBased of the OpenTelemetry SDKs decides about the
// last eight bytes of a trace id.
func (t *Tracing) sampled(id []byte) bool { return binary.BigEndian.Uint64(id)>>1 < t.bound }

// begin places an exchange among traces.
func (t *Tracing) begin(h http.Header) exchange.Trace {
	began, ok := callersTrace(h)
	if ok {
		began.Span = exchange.NewSpanID()
	} else {
		began = exchange.NewTrace()
	}
	if t == nil || !t.options.Export { // what a caller has decided goes on unchanged
		return began
	}
	began.Told = true
	if !ok || t.options.IgnoreParent {
		began.Sampled = t.sampled(began.ID[8:])
	}
	return began
}

// Why an exchange, or work, becomes a trace. What is kept always is kept within
// an allowance of its own.
const (
	keptNot = iota
	keptSampled
	keptError
	keptRefused
	keptSlow
	keptReasons
)

// why decides whether an exchange is to become a trace. What nobody is known to have
// sent does by the sample alone, and by our own span id: neither a flag nor a
// trace id that strangers choose has the gateway export more.
func (t *Tracing) why(ex *exchange.Exchange, status int, cut bool, took time.Duration) int {
	switch {
	case t == nil || !t.options.Export:
	case ex.Caller == nil:
		if t.sampled(ex.Trace.Span[:]) {
			return keptSampled
		}
	case ex.Trace.Sampled:
		return keptSampled
	case t.options.Errors && (cut || status >= http.StatusInternalServerError):
		return keptError
	case t.options.Refused && ex.Problem != nil && status >= http.StatusBadRequest:
		return keptRefused
	case t.options.Slow > 0 && took >= t.options.Slow:
		return keptSlow
	}
	return keptNot
}

// keeps decides whether an exchange that has ended becomes a trace.
func (t *Tracing) keeps(ex *exchange.Exchange, e *ending) bool {
	why := t.why(ex, e.status, e.outcome == outcomeAborted, e.duration)
	return why != keptNot && t.options.Traces.allows(why, e.at, ex)
}

// keepsWork decides whether work becomes a trace: when it fetched a token, when what
// had it done was sampled, and when it failed and errors are kept.
func (t *Tracing) keepsWork(w *Work) bool {
	ex := w.Exchange
	switch {
	case t == nil || !t.options.Export:
		return false
	case w.Name == tokenFetch || ex.Trace.Sampled || ex.Link.Sampled:
		return true
	}
	return w.Failure != "" && t.options.Errors && t.options.Traces.allows(keptError, ex.Start.Add(w.Took), ex)
}

// URL is where people see the trace, "" = nowhere.
func (t *Tracing) URL(id exchange.TraceID) string {
	if t == nil || t.options.URL == "" {
		return ""
	}
	return t.before + id.String() + t.after
}

// RefusalURL is the URL of an exchange that is about to be refused with a status,
// "" also where its trace will not be exported, as far as that is known by now.
func (t *Tracing) RefusalURL(ex *exchange.Exchange, status int) string {
	if t == nil || t.options.URL == "" {
		return ""
	}
	why := t.why(ex, status, false, 0)
	if why == keptNot || !t.options.Traces.allowances[why].has(ex.Start) {
		return ""
	}
	return t.URL(ex.Trace.ID)
}

// exemplar returns a context whose measurements name the trace.
func (t *Tracing) exemplar(ctx context.Context, of exchange.Trace) context.Context {
	if t == nil || !t.options.Exemplars {
		return ctx
	}
	return trace.ContextWithSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID(of.ID), SpanID: trace.SpanID(of.Span), TraceFlags: trace.FlagsSampled,
	}))
}

// Sampled returns a context whose measurements name the trace of an exchange that
// runs, if it is certain by now that it will be kept.
func (t *Tracing) Sampled(ctx context.Context, ex *exchange.Exchange) context.Context {
	if t == nil || !t.options.Export || !ex.Trace.Sampled || ex.Caller == nil {
		return ctx
	}
	return t.exemplar(ctx, ex.Trace)
}

// ended hands over an exchange that is kept. rec is the caller's again afterwards.
func (t *Tracing) ended(r *http.Request, ex *exchange.Exchange, rec *Record) {
	t.options.Traces.ended(&ended{
		Record: *rec, peer: ex.Peer, protocol: protocolVersion(r), encrypted: r.TLS != nil, scheme: upstreamScheme(ex),
		write: ex.Target != nil && ex.Target.Write,
	})
}

// protocolVersion is that of the caller's HTTP, by OpenTelemetry's conventions.
func protocolVersion(r *http.Request) string {
	switch {
	case r.ProtoMajor >= 2:
		return strconv.Itoa(r.ProtoMajor)
	case r.ProtoMinor == 0:
		return "1.0"
	default:
		return "1.1"
	}
}
