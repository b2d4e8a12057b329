package cache

import (
	"context"
	"errors"
	"io"
	"sync"
)

// errLeft ends the reading of an answer that nobody wants any more.
var errLeft = errors.New("the caller left, and the answer is too large to be kept")

// fill is a body on its way from the upstream into the store. It is read by at
// most one caller while it grows, at that caller's own pace; everybody else
// gets it when it is complete. It never holds more than its limit: what is
// larger goes on to its reader directly.
type fill struct {
	limit int64
	total int64 // as announced; -1 = unknown

	mu    sync.Mutex
	data  []byte
	end   error         // why nothing follows data; io.EOF = it is complete
	rest  io.ReadCloser // follows data where that has reached the limit
	left  bool          // its reader has gone, or there is none
	moved chan struct{} // closed with each change
}

// newFill returns a fill of at most limit bytes. length is what the upstream
// has announced, -1 = unknown.
func newFill(limit, length int64) *fill {
	f := &fill{limit: limit, total: length, moved: make(chan struct{})}
	if length > 0 && length <= limit {
		f.data = make([]byte, 0, length)
	}
	return f
}

// pumpSize is one read of an upstream's body, in bytes.
const pumpSize = 32 << 10

// pump reads body to its end. It returns nil if all of it is in data, or the
// error of reading: the reader then waits for close. Or it is errTooLarge, if
// what follows was left to the reader.
func (f *fill) pump(body io.ReadCloser) error {
	buffer := make([]byte, pumpSize)
	for {
		n, err := body.Read(buffer)
		if !f.add(buffer[:n]) {
			return f.overflow(buffer[:n], body) // whose next read says how it ended
		}
		if err == nil {
			continue
		}
		_ = body.Close()
		if errors.Is(err, io.EOF) {
			return nil
		}
		return err
	}
}

// errTooLarge says that a body is larger than what is kept.
var errTooLarge = errors.New("the answer is larger than max_object")

// overflow hands the rest of a body over to the reader, and what was read of it.
func (f *fill) overflow(read []byte, body io.ReadCloser) error {
	rest := &remainder{head: read, body: body}
	f.mu.Lock()
	gone := f.left
	if gone {
		f.end = errLeft
	} else {
		f.rest = rest
	}
	f.changed()
	f.mu.Unlock()
	if gone {
		_ = rest.Close()
	}
	return errTooLarge
}

// changed wakes the reader; f.mu is held.
func (f *fill) changed() {
	close(f.moved)
	f.moved = make(chan struct{})
}

// add appends, and reports false if that would exceed the limit.
func (f *fill) add(b []byte) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if int64(len(f.data)+len(b)) > f.limit {
		return false
	}
	f.data = append(f.data, b...)
	f.changed()
	return true
}

// readable is what the reader may have. The last byte is kept back until the
// end: who has the whole answer finds it in the store. f.mu is held.
func (f *fill) readable() []byte {
	if n := len(f.data); f.end == nil && n > 0 && int64(n) == f.total {
		return f.data[:n-1]
	}
	return f.data
}

// close lets the reader come to the end; the first one counts.
func (f *fill) close(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.end == nil {
		f.end = err
		f.changed()
	}
}

// whole returns the body; call it after pump has returned nil. One that grew
// piece by piece has room left over, which nobody weighs: it is copied once.
func (f *fill) whole() []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	if spare := cap(f.data) - len(f.data); spare > len(f.data)/16 {
		f.data = append(make([]byte, 0, len(f.data)), f.data...)
	}
	return f.data
}

// leave says that nobody reads.
func (f *fill) leave() {
	f.mu.Lock()
	f.left = true
	rest := f.rest
	f.rest = nil
	if rest != nil {
		f.end = errLeft
	}
	f.mu.Unlock()
	if rest != nil {
		_ = rest.Close()
	}
}

// remainder is what was read beyond the limit, and what follows it.
type remainder struct {
	head []byte
	body io.ReadCloser
}

// Read implements [io.Reader].
func (r *remainder) Read(p []byte) (int, error) {
	if len(r.head) > 0 {
		n := copy(p, r.head)
		r.head = r.head[n:]
		return n, nil
	}
	return r.body.Read(p)
}

// Close implements [io.Closer].
func (r *remainder) Close() error { return r.body.Close() }

// stream reads a fill while it grows. Its owner reads and closes it in one
// goroutine.
type stream struct {
	fill   *fill
	ctx    context.Context //nolint:containedctx // of the caller that reads; ends with its request
	offset int
}

// Read implements [io.Reader].
func (s *stream) Read(p []byte) (int, error) {
	for {
		s.fill.mu.Lock()
		n := copy(p, s.fill.readable()[s.offset:])
		rest, end, moved := s.fill.rest, s.fill.end, s.fill.moved
		s.fill.mu.Unlock()
		s.offset += n
		switch {
		case n > 0 || len(p) == 0:
			return n, nil
		case rest != nil:
			return rest.Read(p)
		case end != nil:
			return 0, end
		}
		select {
		case <-moved:
		case <-s.ctx.Done():
			return 0, context.Cause(s.ctx)
		}
	}
}

// Close implements [io.Closer]. What is under way goes on, unless it is too
// large to be kept.
func (s *stream) Close() error {
	s.fill.leave()
	return nil
}
