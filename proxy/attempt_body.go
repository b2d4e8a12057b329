package proxy

import (
	"errors"
	"io"
	"sync"
	"time"

	"iqgateway/internal/steady"
)

// errRevoked is what a transport reads that is late: another try has the body.
var errRevoked = errors.New("the request body belongs to a later try")

// sentBody lends the request's body to one try of one attempt. While nothing
// was read of it, it can be taken back and lent to the next try, even if the
// transport has closed it (as every failing round trip does) or still holds it
// in a goroutine.
type sentBody struct {
	mu      sync.Mutex
	body    io.ReadCloser
	watch   *uploadWatch
	started bool // something was, or is being, read
	revoked bool // taken back
	closed  bool // the transport has no more use for it
	final   bool // there will be no further try
	failed  error

	reading bool          // a read is under way
	ended   chan struct{} // closed when it has ended; nil = nobody waits for that
}

// Read implements [io.Reader].
func (b *sentBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	if b.revoked {
		b.mu.Unlock()
		return 0, errRevoked
	}
	b.started, b.reading = true, true
	b.mu.Unlock()

	b.watch.taking()
	n, err := b.readSafely(p)
	b.watch.given()

	b.mu.Lock()
	defer b.mu.Unlock()
	b.reading = false
	if err != nil && !errors.Is(err, io.EOF) {
		b.failed = err
	}
	if b.ended != nil {
		close(b.ended)
		b.ended = nil
	}
	return n, err
}

// lastWord is how long the end of a read is waited for, once time is up.
const lastWord = 100 * time.Millisecond

// settle waits for a read that is under way when time is up: the deadline ends
// it too, and what it says tells a caller that has stalled from an upstream that
// has. HTTP/2 does not wait for it.
func (b *sentBody) settle() {
	b.mu.Lock()
	if !b.reading {
		b.mu.Unlock()
		return
	}
	ended := make(chan struct{})
	b.ended = ended
	b.mu.Unlock()
	timer := time.NewTimer(lastWord)
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
	}
}

// bodyPanicError carries a panic out of the transport's goroutine, where it would
// end the process, to the request's own, where it ends the request.
type bodyPanicError struct {
	value any
	stack []byte
}

// Error implements error.
func (e *bodyPanicError) Error() string { return "panic while the request's body was read" }

// Thrown returns the panic itself, for the log.
func (e *bodyPanicError) Thrown() (value any, stack []byte) { return e.value, e.stack }

func (b *sentBody) readSafely(p []byte) (n int, err error) {
	steady.Try(func() { n, err = b.body.Read(p) }, func(value any, stack []byte) {
		n, err = 0, &bodyPanicError{value, stack}
	})
	return n, err
}

// rethrow panics in the caller's goroutine if a read has.
func (b *sentBody) rethrow() {
	if thrown, ok := errors.AsType[*bodyPanicError](b.Err()); ok {
		panic(thrown)
	}
}

// Close implements [io.Closer].
func (b *sentBody) Close() error {
	b.mu.Lock()
	b.closed = true
	pass := (b.started || b.final) && !b.revoked
	b.mu.Unlock()
	if pass {
		return b.body.Close()
	}
	return nil
}

// Revoke takes the body back; it fails when the transport has begun to read.
func (b *sentBody) Revoke() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.started {
		return false
	}
	b.revoked = true
	return true
}

// Finish makes this the last try: a close that was held back is done now, a
// later one at once.
func (b *sentBody) Finish() {
	b.mu.Lock()
	b.final = true
	pass := b.closed && !b.started && !b.revoked
	b.mu.Unlock()
	if pass {
		_ = b.body.Close()
	}
}

// Err returns why reading the caller's body failed, nil when it did not.
func (b *sentBody) Err() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.failed
}

// unrepeatable is an empty body that net/http's transport cannot rewind. A
// request that carries it is never repeated behind our back.
type unrepeatable struct{}

// Read implements [io.Reader].
func (unrepeatable) Read([]byte) (int, error) { return 0, io.EOF }

// Close implements [io.Closer].
func (unrepeatable) Close() error { return nil }
