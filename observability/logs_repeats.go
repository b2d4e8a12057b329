package observability

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// maxRepeats is how often an event is written in repeatsWindow.
	maxRepeats    = 10
	repeatsWindow = time.Minute
	// repeatsTick is how often is looked for windows that are over.
	repeatsTick = time.Second
	// maxRepeatKeys bounds the events that are counted apart. The one that began
	// first makes room: an event that is new is always written.
	maxRepeatKeys = 1000
	// maxRepeatText bounds each text of a key, in bytes.
	maxRepeatText = 200
)

// Repeats bounds how often the same event is written: ten times a minute, then
// one line with how often it was repeated. Events are the same that have level,
// message, and what they are about in common. Access lines are none.
type Repeats struct {
	mu     sync.Mutex
	events map[string]*repeat
	order  []*repeat // by when they began
}

// repeat is an event in its minute.
type repeat struct {
	key     string
	began   time.Time
	written int
	left    int // not written
	last    slog.Record
	about   []slog.Attr
	handler slog.Handler
}

// NewRepeats returns a bound that has seen no event. What is left out is told by
// [Repeats.Run].
func NewRepeats() *Repeats { return &Repeats{events: map[string]*repeat{}} }

// Run tells how often events were repeated, until ctx ends, and then what is
// left.
func (p *Repeats) Run(ctx context.Context) {
	tick := time.NewTicker(repeatsTick)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			tellRepeats(ctx, p.due(now.Add(-repeatsWindow)))
		case <-ctx.Done():
			tellRepeats(ctx, p.due(time.Now()))
			return
		}
	}
}

// due forgets the events that began until then, and returns those of them that
// were repeated.
func (p *Repeats) due(until time.Time) []*repeat {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for n < len(p.order) && !p.order[n].began.After(until) {
		n++
	}
	return p.forget(n)
}

// forget drops the first n events. The caller holds the lock.
func (p *Repeats) forget(n int) (repeated []*repeat) {
	for _, e := range p.order[:n] {
		delete(p.events, e.key)
		if e.left > 0 {
			repeated = append(repeated, e)
		}
	}
	p.order = slices.Delete(p.order, 0, n)
	return repeated
}

// admit reports whether an event is written, and returns those that had to make
// room for it.
func (p *Repeats) admit(key string, r slog.Record, about []slog.Attr, h slog.Handler) (ok bool, repeated []*repeat) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.events[key]
	if e != nil && now.Sub(e.began) >= repeatsWindow {
		at := slices.Index(p.order, e)
		repeated, e = p.forget(at+1), nil
	}
	if e == nil {
		if len(p.order) >= maxRepeatKeys {
			repeated = append(repeated, p.forget(1)...)
		}
		e = &repeat{key: key, began: now, handler: h}
		p.events[key] = e
		p.order = append(p.order, e)
	}
	if e.written < maxRepeats {
		e.written++
		return true, repeated
	}
	e.left++
	e.last, e.about = slog.NewRecord(r.Time, r.Level, r.Message, 0), about
	return false, repeated
}

// tellRepeats writes a line for each event, unless its level is hidden by now.
func tellRepeats(ctx context.Context, events []*repeat) {
	for _, e := range events {
		if !e.handler.Enabled(ctx, e.last.Level) {
			continue
		}
		times := "times"
		if e.left == 1 {
			times = "time"
		}
		r := slog.NewRecord(time.Now(), e.last.Level, fmt.Sprintf("%s … repeated %d %s", capString(e.last.Message, maxRepeatText), e.left, times), 0)
		r.AddAttrs(e.about...)
		r.AddAttrs(slog.Int("repeated", e.left), slog.Time("since", e.began), slog.Time("last", e.last.Time))
		_ = e.handler.Handle(ctx, r) // there is no other place to say that the log fails
	}
}

// handler returns h behind the bound; a nil Repeats bounds nothing.
func (p *Repeats) handler(h slog.Handler) slog.Handler {
	if p == nil {
		return h
	}
	return repeatsHandler{Handler: h, repeats: p}
}

// repeatsHandler leaves out what is repeated.
type repeatsHandler struct {
	slog.Handler

	repeats *Repeats
	prefix  string // what its own attributes add to keys
}

// unbounded returns the handler behind the bound, and behind what names exchanges.
func unbounded(h slog.Handler) slog.Handler {
	if in, ok := h.(inExchange); ok {
		h = in.Handler
	}
	if r, ok := h.(repeatsHandler); ok {
		return r.Handler
	}
	return h
}

// Handle implements [slog.Handler].
func (h repeatsHandler) Handle(ctx context.Context, r slog.Record) error {
	key, about := h.key(r)
	ok, repeated := h.repeats.admit(key, r, about, h.Handler)
	tellRepeats(ctx, repeated)
	if !ok {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (h repeatsHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	var key strings.Builder
	for _, a := range attrs {
		appendKey(&key, a)
	}
	return repeatsHandler{h.Handler.WithAttrs(attrs), h.repeats, h.prefix + key.String()}
}

// WithGroup implements [slog.Handler].
func (h repeatsHandler) WithGroup(name string) slog.Handler {
	return repeatsHandler{h.Handler.WithGroup(name), h.repeats, h.prefix + name + "\x00"}
}
