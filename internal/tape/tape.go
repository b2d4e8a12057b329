// Package tape keeps a request's body for as long as the request may be sent
// again: the bytes of a short one, and of any one the fact that nobody has read
// of it yet.
package tape

import (
	"errors"
	"io"
	"net/http"
	"sync"
)

// ErrDetached ends the reads of an attempt that has lost the body.
var ErrDetached = errors.New("the request body now belongs to another attempt")

// Tape lends a body to one attempt after the other. The transport may still be
// reading for an attempt, in a goroutine of its own, when its answer is already
// here: what a read under way brings ends up on the tape, later reads fail.
//
// All methods work on a nil Tape, which is that of a request without a body.
type Tape struct {
	source io.ReadCloser
	limit  int

	reading chan struct{} // holds one element while source is read
	closing sync.Once     // readers and Abandon close source

	mu        sync.Mutex
	active    *reader // the attempt that owns the body
	first     reader
	recording bool   // another attempt may yet follow
	kept      []byte // what source has given while recording
	full      bool   // it has given more than limit: no further attempt
	end       error  // what source gave last, mostly io.EOF
	closed    bool   // the active attempt closed its body while recording
}

// reader is the body of one attempt.
type reader struct {
	tape *Tape
	at   int // next byte of tape.kept
}

// Record returns a tape of body, nil where there is none, and the body of the
// first attempt. Up to limit bytes are kept in memory; with 0, a body can be
// lent again as long as nothing has been read of it. [Tape.Stop] or
// [Tape.Abandon] must follow.
func Record(body io.ReadCloser, limit int) (*Tape, io.ReadCloser) {
	if body == nil || body == http.NoBody {
		return nil, body
	}
	t := &Tape{source: body, limit: limit, reading: make(chan struct{}, 1), recording: true}
	t.first.tape = t
	t.active = &t.first
	return t, t.active
}

// Rewind takes the body away from the attempt that has it and returns it, from
// its first byte on, for the next one. ok is false when too much of it has gone
// to keep; the attempt that has it then goes on.
func (t *Tape) Rewind() (body io.ReadCloser, ok bool) {
	if t == nil {
		return http.NoBody, true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.full || !t.recording {
		return nil, false
	}
	next := &reader{tape: t}
	t.active, t.closed = next, false
	return next, true
}

// Gone reports whether too much of the body has gone to lend it again.
func (t *Tape) Gone() bool {
	if t == nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.full
}

// Stop ends the recording: the attempt that has the body is the last one, and
// the source is closed with its body.
func (t *Tape) Stop() {
	if t == nil {
		return
	}
	t.mu.Lock()
	t.recording = false
	t.trim()
	closed := t.closed
	t.mu.Unlock()
	if closed {
		t.closeSource()
	}
}

// Abandon takes the body away from whoever has it and closes it.
func (t *Tape) Abandon() {
	if t == nil {
		return
	}
	t.mu.Lock()
	t.active, t.recording = nil, false
	t.trim()
	t.mu.Unlock()
	t.closeSource()
}

// trim drops what nobody will read again. It needs the lock.
func (t *Tape) trim() {
	switch {
	case t.recording:
	case t.active == nil:
		t.kept = nil
	case t.active.at >= len(t.kept):
		t.kept, t.active.at = nil, 0
	}
}

// closeSource does not wait for a read under way: a server's body cannot be
// closed before the caller has sent its next bytes.
func (t *Tape) closeSource() {
	t.closing.Do(func() {
		select {
		case t.reading <- struct{}{}:
			_ = t.source.Close()
			<-t.reading
		default:
			go func() {
				defer func() { _ = recover() }() // nobody is left to tell of it, nor of an error
				_ = t.source.Close()
			}()
		}
	})
}

// Read implements [io.Reader].
func (r *reader) Read(p []byte) (int, error) {
	if n, done, err := r.fromTape(p); done {
		return n, err
	}
	r.tape.reading <- struct{}{}
	defer func() { <-r.tape.reading }()
	// While this waited for its turn, an earlier attempt's read may have added
	// to the tape, or this attempt may have lost the body.
	if n, done, err := r.fromTape(p); done {
		return n, err
	}
	n, err := r.tape.source.Read(p)
	return r.took(p[:n], err)
}

// fromTape answers a read without the source; done is false when it cannot.
func (r *reader) fromTape(p []byte) (n int, done bool, err error) {
	t := r.tape
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.active != r:
		return 0, true, ErrDetached
	case r.at < len(t.kept):
		n = copy(p, t.kept[r.at:])
		r.at += n
		t.trim()
		return n, true, nil
	case t.end != nil:
		return 0, true, t.end
	}
	return 0, false, nil
}

// took books what the source has just given to r.
func (r *reader) took(p []byte, err error) (int, error) {
	t := r.tape
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end = err
	switch {
	case t.active == nil:
		return 0, ErrDetached
	case t.active != r: // the attempt that has the body needs these bytes, whatever their number
		t.kept = append(t.kept, p...)
		t.bound(0)
		return 0, ErrDetached
	case t.recording && t.bound(len(p)):
		t.kept = append(t.kept, p...)
		r.at = len(t.kept)
	}
	return len(p), err
}

// bound ends the recording when more bytes would be kept than may be, and
// reports whether it goes on. It needs the lock.
func (t *Tape) bound(more int) bool {
	if t.recording && len(t.kept)+more > t.limit {
		t.recording, t.full = false, true
		t.trim()
	}
	return t.recording
}

// Close implements [io.Closer]. It closes the source unless another attempt
// has the body or may yet get it.
func (r *reader) Close() error {
	t := r.tape
	t.mu.Lock()
	owns := t.active == r
	t.closed = t.closed || owns && t.recording
	final := owns && !t.recording
	t.mu.Unlock()
	if final {
		t.closeSource()
	}
	return nil
}
