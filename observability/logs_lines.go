package observability

import (
	"errors"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"iqgateway/internal/steady"
)

const (
	// maxLinesBytes and maxLinesQueued bound what waits to be written.
	maxLinesBytes  = 4 << 20
	maxLinesQueued = 16 << 10
	// linesReserve is the part of both, one in so many, that is kept for audit
	// records and errors, and again for errors alone: access lines are not to push
	// out what tells why nothing can be written.
	linesReserve = 8
	// lineBlock is how much memory is taken at once.
	lineBlock = 32 << 10
	// maxSpareBlocks are kept for the next lines.
	maxSpareBlocks = 8
)

// Why lines were dropped.
const (
	linesFull   = "queue" // writing takes longer than lines come
	linesFailed = "write" // the last write has failed
)

var (
	errLinesFull = errors.New("what waits to be written is at its limit")
	errLinesFail = errors.New("the last write to the stream has failed")
)

// lineClass says how much of the room a line may use.
type lineClass int

const (
	ordinaryLine lineClass = iota
	auditLine
	errorLine
)

// room returns the part of a limit that is there for lines of a class.
func (c lineClass) room(limit int) int {
	return limit - int(errorLine-c)*limit/linesReserve
}

// LinesOptions configures [NewLines].
type LinesOptions struct {
	// Lost is told of lines that were dropped, once writing works again and at most
	// every ten seconds, by the goroutine of [Lines.Run]; nil = nobody is.
	Lost     func(LinesLost)
	Panicked steady.Panicked  // told of panics in writes; nil = silent
	Now      func() time.Time // nil = time.Now
}

// LinesLost is what was dropped since it was told last.
type LinesLost struct {
	Lines       int
	First, Last time.Time // when
	Reason      string    // queue or write, of the last
}

// Lines hands lines to a stream, in their order, without ever waiting for it:
// one goroutine writes. Where the stream takes nothing, at most 4 MiB or 16384
// lines wait, and what comes then is dropped and counted. The last eighth of the
// room is for errors alone, and the one before it for them and audit records.
// No line is torn: what was written in part goes on where it has ended.
type Lines struct {
	options LinesOptions
	to      io.Writer
	wake    chan struct{} // there is something to write

	mu      sync.Mutex
	blocks  [][]byte // of whole lines; the first is next
	spare   [][]byte
	bytes   int // that wait, those being written among them
	queued  int // the same in lines
	taken   int64
	handled int64 // of taken: bytes that were written or given up
	waiting []linesWait
	failing bool // the last write has failed
	ended   bool // nothing will be written any more
	lost    LinesLost
	gaveUp  int // lines, at the end
	dropped func(reason string, lines int)
	audits  []int64 // where lines of the audit log end that wait, of taken
	// auditLost is told of lines of the audit log that are given up.
	auditLost func(lines int)

	failures atomic.Int64 // of writes

	// Of the goroutine that writes.
	current []byte    // the rest of the block that is being written
	block   []byte    // the whole of it
	seen    time.Time // when it was seen first that lines were lost since it was told
	told    time.Time // when it was last told that lines were lost
}

// LinesState is what becomes of lines.
type LinesState struct {
	Bytes, Lines int   // that wait to be written
	Failures     int64 // writes that have failed so far
}

// State returns what becomes of lines right now.
func (l *Lines) State() LinesState {
	l.mu.Lock()
	defer l.mu.Unlock()
	return LinesState{Bytes: l.bytes, Lines: l.queued, Failures: l.failures.Load()}
}

// Left returns how many lines wait to be written, were given up, or were dropped
// and not told of: at the end, those that nobody will read.
func (l *Lines) Left() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.queued + l.gaveUp + l.lost.Lines
}

// linesWait is somebody who waits until that many bytes are handled.
type linesWait struct {
	upto int64
	done chan struct{}
}

// NewLines returns lines to a stream, of which nothing is written before
// [Lines.Run].
func NewLines(to io.Writer, o LinesOptions) *Lines {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Lines{options: o, to: to, wake: make(chan struct{}, 1)}
}

// OnDropped has f called for lines that are dropped; it must not block. Those
// that were dropped before and not told of yet are told at once.
func (l *Lines) OnDropped(f func(reason string, lines int)) {
	l.mu.Lock()
	l.dropped = f
	lost := l.lost
	l.mu.Unlock()
	if lost.Lines > 0 {
		f(lost.Reason, lost.Lines)
	}
}

// onAuditLost has f called for lines of the audit log that are given up.
func (l *Lines) onAuditLost(f func(lines int)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.auditLost = f
}

// Write implements [io.Writer] for one whole line. It never waits and never
// fails: a line that finds no room is dropped.
func (l *Lines) Write(line []byte) (int, error) {
	l.put(ordinaryLine, line)
	return len(line), nil
}

// put implements lineTaker.
func (l *Lines) put(class lineClass, line []byte) {
	l.mu.Lock()
	if !l.fits(class, len(line)) {
		reason, dropped := l.lose(), l.dropped
		l.mu.Unlock()
		if dropped != nil {
			dropped(reason, 1)
		}
		return
	}
	idle := len(l.blocks) == 0
	l.append(line)
	l.mu.Unlock()
	if idle {
		l.rouse()
	}
}

func (l *Lines) rouse() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// offer takes as many lines of the audit log, from the first on, as there is room
// for, and returns how many bytes these have. While writes fail it takes none: the
// audit log is to know of it.
func (l *Lines) offer(lines []byte) (n int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failing {
		return 0, errLinesFail
	}
	for n < len(lines) {
		line := firstLine(lines[n:])
		if !l.fits(auditLine, len(line)) {
			err = errLinesFull
			break
		}
		l.append(line)
		l.audits = append(l.audits, l.taken)
		n += len(line)
	}
	l.rouse()
	return n, err
}

// fits reports whether there is room. The caller holds the lock, here and below.
func (l *Lines) fits(class lineClass, size int) bool {
	return !l.ended && l.bytes+size <= class.room(maxLinesBytes) && l.queued < class.room(maxLinesQueued)
}

// lose counts a line that is dropped, and says why.
func (l *Lines) lose() (reason string) {
	reason = linesFull
	if l.failing {
		reason = linesFailed
	}
	now := l.options.Now()
	if l.lost.Lines == 0 {
		l.lost.First = now
	}
	l.lost.Lines++
	l.lost.Last, l.lost.Reason = now, reason
	return reason
}

func (l *Lines) append(line []byte) {
	last := len(l.blocks) - 1
	if last < 0 || cap(l.blocks[last])-len(l.blocks[last]) < len(line) {
		l.blocks = append(l.blocks, l.newBlock(len(line)))
		last++
	}
	l.blocks[last] = append(l.blocks[last], line...)
	l.bytes += len(line)
	l.queued++
	l.taken += int64(len(line))
}

func (l *Lines) newBlock(size int) []byte {
	if n := len(l.spare); n > 0 && size <= lineBlock {
		b := l.spare[n-1]
		l.spare = l.spare[:n-1]
		return b
	}
	return make([]byte, 0, max(size, lineBlock))
}

// take makes the first block the one that is written; false = there is none. At
// the end there will be none.
func (l *Lines) take(end bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if cap(l.block) == lineBlock && len(l.spare) < maxSpareBlocks {
		l.spare = append(l.spare, l.block[:0])
	}
	l.block, l.current = nil, nil
	if len(l.blocks) == 0 {
		l.ended = end
		return false
	}
	l.block = l.blocks[0]
	l.current = l.block
	l.blocks = slices.Delete(l.blocks, 0, 1)
	return true
}

// handle counts bytes of the current block as written, or as given up, and
// returns how many lines of the audit log end in them.
func (l *Lines) handle(n, lines int, failing bool) (audits int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.current = l.current[n:]
	l.bytes -= n
	l.queued -= lines
	l.handled += int64(n)
	l.failing = failing
	for audits < len(l.audits) && l.audits[audits] <= l.handled {
		audits++
	}
	l.audits = slices.Delete(l.audits, 0, audits)
	l.waiting = slices.DeleteFunc(l.waiting, func(w linesWait) bool {
		if w.upto > l.handled {
			return false
		}
		close(w.done)
		return true
	})
	return audits
}
