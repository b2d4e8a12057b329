package tokencache

import (
	"errors"
	"io"
	"net/http"
	"sync"
)

// errDetached ends the reads of an attempt that was given up.
var errDetached = errors.New("the request body now belongs to the replay")

// tape reads a request body for one attempt and, while it is short, keeps the
// bytes for a second one. The transport may still be reading for the first
// attempt, in a goroutine of its own, when the answer to it is already here:
// what a read under way brings ends up on the tape, later reads fail.
type tape struct {
	source io.ReadCloser
	limit  int

	reading chan struct{} // holds one element while source is read
	closing sync.Once     // both the attempts and abandon close source

	mu        sync.Mutex
	active    *tapeReader // the attempt that owns the body
	recording bool        // the first attempt may yet be followed by another
	kept      []byte      // what source has given while recording
	full      bool        // it has given more than limit: no second attempt
	end       error       // what source gave last, mostly io.EOF
	closed    bool        // the first attempt closed its body while recording
}

// tapeReader is the body of one attempt.
type tapeReader struct {
	tape *tape
	at   int // next byte of tape.kept; of the second attempt only
}

// record returns a tape of body, nil for a request without one, and the body
// of the first attempt.
func record(body io.ReadCloser, limit int) (*tape, io.ReadCloser) {
	if body == nil || body == http.NoBody {
		return nil, body
	}
	t := &tape{source: body, limit: limit, reading: make(chan struct{}, 1), recording: true}
	t.active = &tapeReader{tape: t}
	return t, t.active
}

// stop ends the recording: the first attempt is the only one, and the source
// is closed with its body.
func (t *tape) stop() {
	if t == nil {
		return
	}
	t.mu.Lock()
	t.recording, t.kept = false, nil
	closed := t.closed
	t.mu.Unlock()
	if closed {
		t.closeSource()
	}
}

// rewind takes the body away from the first attempt and returns it for a
// second one; ok is false when too much of it has gone to keep.
func (t *tape) rewind() (body io.ReadCloser, ok bool) {
	if t == nil {
		return http.NoBody, true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.full {
		return nil, false
	}
	second := &tapeReader{tape: t}
	t.active, t.recording = second, false
	return second, true
}

// abandon takes the body away from the first attempt and closes it.
func (t *tape) abandon() {
	if t == nil {
		return
	}
	t.mu.Lock()
	t.active, t.recording, t.kept = nil, false, nil
	t.mu.Unlock()
	t.closeSource()
}

// closeSource does not wait for a read under way: a server's body cannot be
// closed before the caller has sent its next bytes.
func (t *tape) closeSource() {
	t.closing.Do(func() {
		select {
		case t.reading <- struct{}{}:
			_ = t.source.Close()
			<-t.reading
		default:
			go t.source.Close() // nobody is left to tell of an error
		}
	})
}

// Read implements [io.Reader].
func (r *tapeReader) Read(p []byte) (int, error) {
	if n, done, err := r.fromTape(p); done {
		return n, err
	}
	r.tape.reading <- struct{}{}
	defer func() { <-r.tape.reading }()
	// While this waited for its turn, the first attempt's read may have added
	// to the tape, or this attempt may have been given up.
	if n, done, err := r.fromTape(p); done {
		return n, err
	}
	n, err := r.tape.source.Read(p)
	return r.took(p[:n], err)
}

// fromTape answers a read without the source; done is false when it cannot.
func (r *tapeReader) fromTape(p []byte) (n int, done bool, err error) {
	t := r.tape
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.active != r:
		return 0, true, errDetached
	case !t.recording && r.at < len(t.kept):
		n = copy(p, t.kept[r.at:])
		r.at += n
		return n, true, nil
	case t.end != nil:
		return 0, true, t.end
	}
	return 0, false, nil
}

// took books what the source has just given to r.
func (r *tapeReader) took(p []byte, err error) (int, error) {
	t := r.tape
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end = err
	switch {
	case t.active != r: // the second attempt needs these bytes, whatever their number
		t.kept = append(t.kept, p...)
		return 0, errDetached
	case t.recording && len(t.kept)+len(p) > t.limit:
		t.recording, t.full, t.kept = false, true, nil
	case t.recording:
		t.kept = append(t.kept, p...)
	}
	return len(p), err
}

// Close implements [io.Closer]. It closes the source unless another attempt
// has the body or may yet get it.
func (r *tapeReader) Close() error {
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
