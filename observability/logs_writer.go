package observability

import (
	"bytes"
	"context"
	"io"
	"time"

	"iqgateway/internal/steady"
)

const (
	// maxLinesWrite is how much is written at once, whole lines where they are not
	// longer: what a pipe takes undivided (PIPE_BUF on Linux), whoever else writes
	// into it.
	maxLinesWrite = 4096
	// linesRetry and lastLinesRetry are the first and the longest pause after a
	// write that failed.
	linesRetry     = 10 * time.Millisecond
	lastLinesRetry = time.Second
	// lostAgain is how often is told of lost lines while more are being lost.
	lostAgain = 10 * time.Second
)

// Run writes until ctx ends, and then what is left, as long as writing does not
// fail. A write that does not come back keeps it.
func (l *Lines) Run(ctx context.Context) {
	for {
		l.writeBlock(ctx)
		end := ctx.Err() != nil
		later := l.tellLost(end)
		if l.take(end) {
			continue
		}
		if end {
			return
		}
		l.await(ctx, later)
	}
}

// await waits for a line, for a time if there is something to tell after it, and
// for the end.
func (l *Lines) await(ctx context.Context, later time.Duration) {
	var due <-chan time.Time
	if later > 0 {
		timer := time.NewTimer(later)
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-l.wake:
	case <-ctx.Done():
	case <-due:
	}
}

// writeBlock writes the rest of the current block, again and again if it must.
// Once ctx has ended, what fails is given up.
func (l *Lines) writeBlock(ctx context.Context) {
	pause := linesRetry
	for len(l.current) > 0 {
		part := wholeLines(l.current)
		n, err := l.try(part)
		l.handle(n, bytes.Count(part[:n], []byte{'\n'}), err != nil)
		switch {
		case err == nil:
			pause = linesRetry
		case ctx.Err() != nil:
			l.giveUp()
		default:
			steady.Pause(ctx, pause)
			pause = min(2*pause, lastLinesRetry)
		}
	}
}

// try writes once.
func (l *Lines) try(part []byte) (n int, err error) {
	err = errPanic
	steady.Try(func() { n, err = l.to.Write(part) }, l.options.Panicked)
	n = min(max(n, 0), len(part))
	if err == nil && n < len(part) {
		err = io.ErrShortWrite
	}
	if err != nil {
		l.failures.Add(1)
	}
	return n, err
}

// giveUp drops the rest of the current block.
func (l *Lines) giveUp() {
	lines := bytes.Count(l.current, []byte{'\n'})
	audits := l.handle(len(l.current), lines, true)
	l.mu.Lock()
	l.gaveUp += lines
	dropped, auditLost := l.dropped, l.auditLost
	l.mu.Unlock()
	if dropped != nil {
		dropped(linesFailed, lines)
	}
	if auditLost != nil && audits > 0 {
		auditLost(audits)
	}
}

// tellLost tells of lost lines once half of the room is free again, or after a
// time in which more and more were lost: at most every lostAgain, and at the end.
// It returns after which time it has something to tell; 0 = none is known.
func (l *Lines) tellLost(end bool) (later time.Duration) {
	if l.options.Lost == nil {
		return 0
	}
	lost, later := l.takeLost(l.options.Now(), end)
	if lost.Lines > 0 {
		l.options.Lost(lost)
	}
	return later
}

// takeLost returns what is to be told of lost lines now, and forgets it.
func (l *Lines) takeLost(now time.Time, end bool) (lost LinesLost, later time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lost.Lines == 0 {
		l.seen = time.Time{}
		return lost, 0
	}
	if l.seen.IsZero() {
		l.seen = now
	}
	later = lostAgain - now.Sub(l.told)
	if free := !l.failing && l.bytes <= maxLinesBytes/2 && l.queued <= maxLinesQueued/2; !free {
		later = max(later, lostAgain-now.Sub(l.seen))
	}
	if !end && later > 0 {
		return lost, later
	}
	if !l.fits(errorLine, maxLogField) {
		return lost, 0 // the line that tells would be lost as well
	}
	lost = l.lost
	l.lost, l.seen, l.told = LinesLost{}, time.Time{}, now
	return lost, 0
}

// Flush waits until everything is written that is there when it is called, at
// most for limit, and reports whether it is.
func (l *Lines) Flush(limit time.Duration) bool {
	l.mu.Lock()
	if l.handled == l.taken {
		l.mu.Unlock()
		return true
	}
	w := linesWait{upto: l.taken, done: make(chan struct{})}
	l.waiting = append(l.waiting, w)
	l.mu.Unlock()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-w.done:
		return true
	case <-timer.C:
		return false
	}
}

// wholeLines returns as many of the first lines as are written at once, or the
// first alone.
func wholeLines(lines []byte) []byte {
	if len(lines) <= maxLinesWrite {
		return lines
	}
	if end := bytes.LastIndexByte(lines[:maxLinesWrite], '\n'); end >= 0 {
		return lines[:end+1]
	}
	return firstLine(lines)
}

func firstLine(lines []byte) []byte {
	if end := bytes.IndexByte(lines, '\n'); end >= 0 {
		return lines[:end+1]
	}
	return lines
}

// auditLines is the stream of a process as the sink of its audit log. What finds
// no room, or comes while writes fail, stays in the audit log's own queue.
type auditLines struct{ lines *Lines }

// Write implements [AuditSink].
func (a auditLines) Write(lines []byte) (int, error) {
	return a.lines.offer(lines)
}

// Follow implements [AuditSink]: a stream cannot be moved.
func (auditLines) Follow(bool) bool { return false }

// Close implements [AuditSink]; the stream is not the audit log's.
func (auditLines) Close() error { return nil }
