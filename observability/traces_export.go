package observability

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/semaphore"

	"iqgateway/internal/exchange"
	"iqgateway/internal/steady"
)

// collecting is the way of spans to one collector.
type collecting struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	ids      *nextIDs
	out      *countingExporter
	client   *http.Client
}

// collect opens the way to c; nothing is dialled.
func (t *Traces) collect(c Collector, client *http.Client) *collecting {
	w := &collecting{ids: &nextIDs{}, client: client, out: &countingExporter{SpanExporter: c.exporter(client), traces: t}}
	processor, room := c.processor(w.out)
	w.out.room = semaphore.NewWeighted(int64(room))
	w.provider = sdktrace.NewTracerProvider(
		sdktrace.WithSpanProcessor(processor), sdktrace.WithIDGenerator(w.ids), sdktrace.WithSampler(sdktrace.AlwaysSample()),
		sdktrace.WithResource(resource.NewSchemaless(c.resource(t.options)...)),
	)
	w.tracer = w.provider.Tracer("iqgateway", trace.WithInstrumentationVersion(t.options.Version))
	return w
}

// export makes spans of e once there is room for them, which it waits for unless
// ctx ends: then it reports false.
func (c *collecting) export(ctx context.Context, e *ended, panicked steady.Panicked) bool {
	n := e.spans()
	if !c.out.room.TryAcquire(int64(n)) && c.out.room.Acquire(ctx, int64(n)) != nil {
		return false
	}
	made := 0
	steady.Try(func() { c.make(e.Trace, spansOf(e), &made) }, panicked)
	c.out.room.Release(int64(n - made))
	return true
}

// make has the SDK make the spans, and counts those that it has taken.
func (c *collecting) make(t exchange.Trace, spans []span, made *int) {
	ctx := context.Background()
	if t.Parent != (exchange.SpanID{}) {
		state, _ := trace.ParseTraceState(t.State) // it was read before
		ctx = trace.ContextWithRemoteSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: trace.TraceID(t.ID), SpanID: trace.SpanID(t.Parent), TraceFlags: trace.FlagsSampled, TraceState: state, Remote: true,
		}))
	}
	c.ids.trace = trace.TraceID(t.ID)
	within := c.start(ctx, &spans[0])
	*made++
	for i := range spans[1:] {
		c.start(within, &spans[1+i])
		*made++
	}
}

// start makes one span and ends it.
func (c *collecting) start(ctx context.Context, s *span) context.Context {
	c.ids.span = trace.SpanID(s.id)
	options := []trace.SpanStartOption{trace.WithTimestamp(s.at), trace.WithSpanKind(s.kind), trace.WithAttributes(s.attrs...)}
	if !s.link.IsZero() {
		options = append(options, trace.WithLinks(linkTo(s.link)))
	}
	ctx, made := c.tracer.Start(ctx, s.name, options...)
	if s.failed != "" {
		made.SetStatus(codes.Error, s.failed)
	}
	made.End(trace.WithTimestamp(s.end))
	return ctx
}

func linkTo(l exchange.Link) trace.Link {
	flags := trace.TraceFlags(0).WithSampled(l.Sampled)
	return trace.Link{SpanContext: trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID(l.Trace), SpanID: trace.SpanID(l.Span), TraceFlags: flags,
	})}
}

// close sends what is inside, until it is cut, and returns how many spans did not
// leave for that.
func (c *collecting) close(ctx context.Context) (lost int) {
	_ = c.provider.Shutdown(ctx) // what it says is what has been counted
	c.client.CloseIdleConnections()
	return c.out.unsent()
}

// nextIDs gives the SDK the ids that spans have already. Spans are made by one
// goroutine.
type nextIDs struct {
	trace trace.TraceID
	span  trace.SpanID
}

// NewIDs implements [sdktrace.IDGenerator].
func (n *nextIDs) NewIDs(context.Context) (trace.TraceID, trace.SpanID) { return n.trace, n.span }

// NewSpanID implements [sdktrace.IDGenerator].
func (n *nextIDs) NewSpanID(context.Context, trace.TraceID) trace.SpanID { return n.span }

// countingExporter counts what leaves and what is lost, and tells of failures when
// they begin, change and end.
type countingExporter struct {
	sdktrace.SpanExporter

	traces *Traces
	// room is what the SDK's queue has: it never has to drop a span, which it would
	// not tell of.
	room *semaphore.Weighted

	mu     sync.Mutex
	cancel context.CancelFunc // ends the request under way
	over   bool               // nothing more is to be sent
	left   int                // spans that were not sent for that
	failed string             // the failure that was told of last
	lost   int                // spans since failures began
	warned string             // what the collector has warned of last
}

// ExportSpans implements [sdktrace.SpanExporter]. It returns no error, which the
// SDK would tell the process's standard error of, batch by batch.
func (x *countingExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	defer x.room.Release(int64(len(spans)))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if !x.begin(cancel, len(spans)) {
		return nil
	}
	err := errPanic
	steady.Try(func() { err = x.SpanExporter.ExportSpans(ctx, spans) }, x.traces.panicked)
	lost := rejected(err, len(spans))
	x.traces.counts.Exported(SignalTraces, len(spans)-lost)
	x.tell(context.WithoutCancel(ctx), err, lost)
	return nil
}

// begin reports whether a request with n spans may begin, which cancel ends.
func (x *countingExporter) begin(cancel context.CancelFunc, n int) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.over {
		x.left += n
	}
	x.cancel = cancel
	return !x.over
}

// cut ends the request under way. No other begins.
func (x *countingExporter) cut() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.over = true
	if x.cancel != nil {
		x.cancel()
	}
}

func (x *countingExporter) unsent() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.left
}

// rejected is how many of n spans a collector has not taken. One that takes part
// of them says how many it did not: the SDK's error has a text only.
func rejected(err error, n int) int {
	if err == nil {
		return 0
	}
	_, told, partial := strings.Cut(err.Error(), "partial success: ")
	if !partial {
		return n
	}
	var refused int
	if _, err := fmt.Sscanf(told[strings.LastIndexByte(told, '(')+1:], "%d spans rejected", &refused); err != nil {
		return n
	}
	return min(max(refused, 0), n)
}

// maxExportFailure bounds what is told of a failure: collectors answer with texts.
const maxExportFailure = 256

// tell counts what is lost, and logs a failure that is another one than the last,
// and the end of failures. Whoever takes all spans and says something all the same
// has no failure.
func (x *countingExporter) tell(ctx context.Context, err error, lost int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.over { // it may be why
		x.left += lost
		return
	}
	if lost > 0 {
		x.traces.counts.Dropped(SignalTraces, "export", lost)
	}
	x.lost += lost
	switch {
	case lost > 0:
		x.complain(ctx, "traces cannot be exported", &x.failed, err)
		return
	case err != nil:
		x.complain(ctx, "the collector warns", &x.warned, err)
	}
	if x.failed != "" {
		x.traces.options.Logger.LogAttrs(ctx, slog.LevelInfo, "traces are exported again", slog.Int("spans_lost", x.lost))
	}
	x.failed, x.lost = "", 0
}

// complain logs err unless the last one was of its kind.
func (x *countingExporter) complain(ctx context.Context, message string, last *string, err error) {
	text := err.Error()
	if kind := sameFailure(text); kind != *last {
		*last = kind
		x.traces.options.Logger.LogAttrs(ctx, slog.LevelWarn, message, slog.String("error", text[:min(len(text), maxExportFailure)]))
	}
}

// sameFailure is what a failure has in common with the next one of its kind: not
// ports, times and counts.
func sameFailure(text string) string {
	return strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return -1
		}
		return r
	}, text)
}
