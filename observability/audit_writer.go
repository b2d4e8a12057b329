package observability

import (
	"bytes"
	"context"
	"time"

	"iqgateway/internal/steady"
)

const (
	// auditRetry is the pause after a write that failed.
	auditRetry = time.Second
	// auditFarewell bounds what the end waits for a write.
	auditFarewell = time.Second
)

// AuditSink is where records go. Its methods are called by one goroutine at a
// time.
type AuditSink interface {
	// Write writes whole lines; it may take as long as it likes.
	Write(lines []byte) (n int, err error)
	// Follow opens anew what has been moved away, or in any case if asked to. It
	// reports whether what is written next goes elsewhere than before.
	Follow(always bool) (moved bool)
	// Close is called once, at the end.
	Close() error
}

// auditWriter writes what is queued.
type auditWriter struct {
	audit     *Audit
	abandoned bool // a write has not come back: there will be no other
	moved     bool // the next write goes elsewhere than the last
}

func (w *auditWriter) reopen() { w.moved = w.audit.options.Sink.Follow(true) || w.moved }

func (w *auditWriter) follow() { w.moved = w.audit.options.Sink.Follow(false) || w.moved }

func (w *auditWriter) close() {
	if !w.abandoned {
		_ = w.audit.options.Sink.Close() // all is written
	}
}

// drain writes what is queued. It comes back when all of it is written, or ctx
// has ended.
func (w *auditWriter) drain(ctx context.Context) {
	for !w.abandoned {
		batch := w.audit.take()
		if len(batch) == 0 {
			return
		}
		select { // what was noted after Reopen goes into the new file
		case <-w.audit.reopen:
			w.reopen()
		default:
		}
		var lines []byte
		for i := range batch {
			lines = batch[i].appendLine(lines)
		}
		if rest := w.put(ctx, lines); len(rest) > 0 {
			w.audit.dropped(bytes.Count(rest, []byte("\n")))
		}
	}
	w.audit.dropped(len(w.audit.take()))
}

// put writes lines, again and again if it must, and returns what could not be
// written until ctx ended.
func (w *auditWriter) put(ctx context.Context, lines []byte) (rest []byte) {
	at := 0
	for {
		n, err := w.write(ctx, lines[at:])
		if at += n; err == nil && !w.abandoned {
			return nil
		}
		if err != nil && w.audit.options.Hooks.WriteFailed != nil {
			w.audit.options.Hooks.WriteFailed(err)
		}
		if w.abandoned || ctx.Err() != nil {
			return lines[at:]
		}
		w.pause(ctx)
		if w.moved { // a line is not to begin in one file and end in another
			at, w.moved = bytes.LastIndexByte(lines[:at], '\n')+1, false
		}
	}
}

// pause waits before another try; a file that is opened anew is worth one.
func (w *auditWriter) pause(ctx context.Context) {
	timer := time.NewTimer(auditRetry)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
		w.follow()
	case <-w.audit.reopen:
		w.reopen()
	}
}

// write writes once. After ctx has ended, it does not wait for long.
func (w *auditWriter) write(ctx context.Context, lines []byte) (n int, err error) {
	type outcome struct {
		n   int
		err error
	}
	done := make(chan outcome, 1)
	go steady.Try(func() {
		var o outcome
		defer func() { done <- o }()
		o.err = errPanic
		o.n, o.err = w.audit.options.Sink.Write(lines)
	}, w.audit.options.Hooks.Panicked)
	select {
	case o := <-done:
		return o.n, o.err
	case <-ctx.Done():
	}
	farewell := time.NewTimer(auditFarewell)
	defer farewell.Stop()
	select {
	case o := <-done:
		return o.n, o.err
	case <-farewell.C:
		w.abandoned = true
		return 0, nil
	}
}
