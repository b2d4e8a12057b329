package proxy

import (
	"errors"
	"fmt"
	"io"
	"sync"

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
}

// Read implements [io.Reader].
func (b *sentBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	if b.revoked {
		b.mu.Unlock()
		return 0, errRevoked
	}
	b.started = true
	b.mu.Unlock()

	b.watch.taking()
	n, err := b.readSafely(p)
	b.watch.given()
	if err != nil && !errors.Is(err, io.EOF) {
		b.mu.Lock()
		b.failed = err
		b.mu.Unlock()
	}
	return n, err
}

// bodyPanicError carries a panic out of the transport's goroutine, where it would
// end the process, to the request's own, where it ends the request.
type bodyPanicError struct {
	value any
	stack []byte
}

// Error implements error.
func (e *bodyPanicError) Error() string {
	return fmt.Sprintf("panic while the request's body was read: %v\n%s", e.value, e.stack)
}

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
