package observability

import (
	"context"
	"io"
	"log/slog"
	"sync"
)

// lineTaker is what lines are given to, one at a time, from any goroutine.
type lineTaker interface {
	put(class lineClass, line []byte)
}

func takerOf(w io.Writer) lineTaker {
	if to, ok := w.(lineTaker); ok {
		return to
	}
	return &streamTaker{w: w}
}

// streamTaker writes into any stream; it waits for it.
type streamTaker struct {
	mu sync.Mutex
	w  io.Writer
}

func (s *streamTaker) put(_ lineClass, line []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = s.w.Write(line) // there is no other place to say that the log fails
}

// classWriter gives what slog's handlers write, each record in one write, to a
// lineTaker.
type classWriter struct {
	to    lineTaker
	class lineClass
}

// Write implements [io.Writer].
func (c classWriter) Write(line []byte) (int, error) {
	c.to.put(c.class, line)
	return len(line), nil
}

func classOf(level slog.Level) lineClass {
	if level >= slog.LevelError {
		return errorLine
	}
	return ordinaryLine
}

// byClass are two handlers that differ in the class of what they write.
type byClass struct{ ordinary, errors slog.Handler }

// Enabled implements [slog.Handler].
func (b byClass) Enabled(ctx context.Context, level slog.Level) bool {
	return b.ordinary.Enabled(ctx, level)
}

// Handle implements [slog.Handler].
func (b byClass) Handle(ctx context.Context, r slog.Record) error {
	if classOf(r.Level) == errorLine {
		return b.errors.Handle(ctx, r)
	}
	return b.ordinary.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (b byClass) WithAttrs(attrs []slog.Attr) slog.Handler {
	return byClass{b.ordinary.WithAttrs(attrs), b.errors.WithAttrs(attrs)}
}

// WithGroup implements [slog.Handler].
func (b byClass) WithGroup(name string) slog.Handler {
	return byClass{b.ordinary.WithGroup(name), b.errors.WithGroup(name)}
}
