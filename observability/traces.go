package observability

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"net/http"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"iqgateway/internal/exchange"
	"iqgateway/internal/steady"
)

const (
	// maxQueuedTraces is how many traces may wait to become spans. One that finds no
	// room is dropped: nothing that serves a caller waits for telemetry.
	maxQueuedTraces = 2048
	// maxQueuedStrangers is how many of them may be of requests that nobody is known
	// to have sent.
	maxQueuedStrangers = 256
	// flushTimeout bounds how long an end, or another collector, waits for spans to
	// leave.
	flushTimeout = 5 * time.Second
)

// TracesOptions configure [NewTraces].
type TracesOptions struct {
	Version string // service.version
	Replica string // service.instance.id
	Logger  *slog.Logger
	Metrics *Metrics // count what is exported and what is lost; nil = nothing does
	Recent  *Recent  // remembers work, exported or not; nil = nothing does
}

// Traces turns what exchanges and background work did into spans, and exports
// those that are kept. A nil *Traces exports nothing.
//
// What ends hands over a compact copy of its facts and goes on; the one goroutine
// of [Traces.Run] makes spans of them.
type Traces struct {
	options TracesOptions
	counts  telemetryCounts
	queue   chan *ended
	rules   atomic.Pointer[Tracing] // of work; nil = none is kept

	strangers  atomic.Int32           // that wait in the queue
	allowances [keptReasons]allowance // they outlive generations

	mu      sync.Mutex
	next    *collecting // what the queue is to go to from now on, if changed
	changed bool
	asked   *Collector         // what is in use, or next, was made of
	read    [sha256.Size]byte  // of the files that asked names
	over    context.CancelFunc // ends what waits for room in the collector in use
	leaving map[*collecting]struct{}

	// Of the goroutine that runs, then of Close.
	current  *collecting
	held     *ended // it waits for room
	retiring sync.WaitGroup
}

// telemetryCounts is what of [Metrics] counts telemetry itself: losses are of no
// request, and of no context.
type telemetryCounts interface {
	Exported(signal string, n int)
	Dropped(signal, reason string, n int)
	Panicked(ctx context.Context)
}

// NewTraces returns one that exports nowhere until [Traces.Use].
func NewTraces(o TracesOptions) *Traces {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Traces{options: o, counts: o.Metrics, queue: make(chan *ended, maxQueuedTraces), leaving: map[*collecting]struct{}{}}
}

// Use has spans sent to c from now on, nil = nowhere; also if only the files that c
// names hold something else. What the collector before has taken over still goes
// there, for five seconds; what waits for room goes to c. On an error nothing
// changes.
func (t *Traces) Use(c *Collector) error {
	if t == nil {
		return nil
	}
	var client *http.Client
	var read [sha256.Size]byte
	if c != nil {
		var err error
		if client, read, err = c.client(); err != nil {
			return err
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if read == t.read && reflect.DeepEqual(c, t.asked) {
		return nil
	}
	if t.next != nil { // asked for, and not in use yet: it holds nothing
		t.next.close(context.Background())
	}
	t.next, t.changed, t.asked, t.read = nil, true, c, read
	if c != nil {
		t.next = t.collect(*c, client)
	}
	if t.over != nil {
		t.over()
	}
	return nil
}

// Run makes spans of what is kept until ctx ends. What is left then is
// [Traces.Close]'s.
func (t *Traces) Run(ctx context.Context) {
	if t == nil {
		return
	}
	for ctx.Err() == nil {
		t.serve(t.turn(ctx))
	}
}

// serve exports what comes until turn ends.
func (t *Traces) serve(turn context.Context) {
	if t.held != nil && !t.export(turn, t.held) {
		return
	}
	for {
		select {
		case <-turn.Done():
			return
		case e := <-t.queue:
			t.taken(e)
			t.held = e
			if turn.Err() != nil || !t.export(turn, e) {
				return
			}
		}
	}
}

// turn turns to the collector that is wanted. What it returns ends with ctx, and
// when another one is wanted.
func (t *Traces) turn(ctx context.Context) context.Context {
	t.mu.Lock()
	if t.over != nil {
		t.over()
	}
	turn, over := context.WithCancel(ctx)
	next, changed := t.next, t.changed
	t.over, t.next, t.changed = over, nil, false
	t.mu.Unlock()
	if !changed {
		return turn
	}
	old := t.current
	if old != nil && next == nil { // nobody else takes what waits
		t.spill(ctx)
	}
	t.current = next
	if old != nil {
		t.retire(ctx, old)
	}
	return turn
}

// spill exports what there is room for right now. The rest is lost.
func (t *Traces) spill(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	if !t.flush(ctx) {
		t.lost(t.discard(), "shutdown")
	}
}

// retire has what c still holds sent, beside what goes on.
func (t *Traces) retire(ctx context.Context, c *collecting) {
	ctx = context.WithoutCancel(ctx) // what ends it is a cut
	t.mu.Lock()
	t.leaving[c] = struct{}{}
	t.mu.Unlock()
	t.retiring.Go(func() {
		steady.Try(func() {
			timer := time.AfterFunc(flushTimeout, func() { steady.Try(c.out.cut, t.panicked) })
			defer timer.Stop()
			t.lost(c.close(ctx), "shutdown")
		}, t.panicked)
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.leaving, c)
	})
}

// cut has all that are retiring send nothing more.
func (t *Traces) cut() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for c := range t.leaving {
		c.out.cut()
	}
}

// flush exports what has waited until now. It reports false if ctx ends before.
func (t *Traces) flush(ctx context.Context) bool {
	if t.held != nil && !t.export(ctx, t.held) {
		return false
	}
	for range len(t.queue) {
		e := <-t.queue
		t.taken(e)
		if !t.export(ctx, e) {
			return false
		}
	}
	return true
}

// export makes spans of e, once there is room for them. If ctx ends before, it
// reports false and keeps e.
func (t *Traces) export(ctx context.Context, e *ended) bool {
	t.held = e
	switch {
	case t.current == nil: // it ended after the export did
		t.counts.Dropped(SignalTraces, "shutdown", e.spans())
	case !t.current.export(ctx, e, t.panicked):
		return false
	}
	t.held = nil
	return true
}

// Close sends what is left, for at most five seconds. Run has ended.
func (t *Traces) Close(ctx context.Context) {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	if !t.flush(t.turn(ctx)) {
		t.lost(t.discard(), "shutdown")
	}
	if t.current != nil {
		t.retire(ctx, t.current)
		t.current = nil
	}
	defer context.AfterFunc(ctx, func() { steady.Try(t.cut, t.panicked) })()
	t.retiring.Wait()
}

// discard empties the queue and returns how many spans that were.
func (t *Traces) discard() (spans int) {
	if t.held != nil {
		spans += t.held.spans()
		t.held = nil
	}
	for {
		select {
		case e := <-t.queue:
			t.taken(e)
			spans += e.spans()
		default:
			return spans
		}
	}
}

func (t *Traces) lost(spans int, reason string) {
	if spans > 0 {
		t.counts.Dropped(SignalTraces, reason, spans)
		t.options.Logger.Warn("traces are lost", slog.Int("spans", spans), slog.String("reason", reason))
	}
}

// ended hands over what has ended. It never waits.
func (t *Traces) ended(e *ended) {
	if e.stranger() && t.strangers.Add(1) > maxQueuedStrangers {
		t.refuse(e)
		return
	}
	select {
	case t.queue <- e:
	default:
		t.refuse(e)
	}
}

// taken notes that e is in the queue no longer.
func (t *Traces) taken(e *ended) {
	if e.stranger() {
		t.strangers.Add(-1)
	}
}

// refuse counts e, which the queue has no room for.
func (t *Traces) refuse(e *ended) {
	t.taken(e)
	t.counts.Dropped(SignalTraces, "queue", e.spans())
}

func (e *ended) stranger() bool { return e.Caller == nil && !e.Work }

// panicked tells of a panic in the making of spans.
func (t *Traces) panicked(value any, stack []byte) {
	ctx := context.Background()
	t.counts.Panicked(ctx)
	t.options.Logger.LogAttrs(ctx, slog.LevelError, "panic in the making of spans", PanicAttrs(value, stack)...)
}

// Work is something that was done for nobody who waits for it alone: a token
// fetch, a refresh of the cache, a shared fetch whose leader has left.
type Work struct {
	Name     string             // of its span: token.fetch, cache.refresh, cache.fetch
	Method   string             // of its attempts
	Exchange *exchange.Exchange // what its stages have noted, with Trace, Link and Start
	Took     time.Duration
	Failure  string // a word of a closed set; "" = it succeeded

	Reason     string // why a token was fetched
	Generation uint64 // of the token that was fetched; 0 = none was
}

// tokenFetch is the work that is always kept: it is rare, and all that waits
// depends on it.
const tokenFetch = "token.fetch"

// Follow has work kept by the rules of a generation from now on; nil = none is.
func (t *Traces) Follow(rules *Tracing) {
	if t != nil {
		t.rules.Store(rules)
	}
}

// alone is w without what would be kept in memory for nothing.
func (w Work) alone() Work {
	w.Exchange = nil
	return w
}

// Work tells of work that has ended.
func (t *Traces) Work(w Work) {
	if t == nil || w.Exchange == nil {
		return
	}
	rec := recordOf(w.Exchange)
	rec.Work, rec.Method, rec.Duration, rec.Outcome, rec.Kept = true, w.Name, w.Took, w.Failure, t.rules.Load().keepsWork(&w)
	if t.options.Recent != nil {
		t.options.Recent.add(&rec)
	}
	if rec.Kept {
		t.ended(&ended{Record: rec, work: w.alone(), scheme: upstreamScheme(w.Exchange)})
	}
}
