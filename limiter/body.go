package limiter

import (
	"io"
	"sync/atomic"
)

// slotBody is the body of an answer that holds a slot of a Concurrency bucket:
// the upstream works on the request until its body has ended.
type slotBody struct {
	io.ReadCloser
	end   func()
	ended atomic.Bool
}

// Read implements [io.Reader].
func (b *slotBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.finish()
	}
	return n, err
}

// Close implements [io.Closer].
func (b *slotBody) Close() error {
	err := b.ReadCloser.Close()
	b.finish() // after it, so that the connection is free before the slot is
	return err
}

// finish gives the slot back, once. A close may come from another goroutine
// than the reads.
func (b *slotBody) finish() {
	if !b.ended.Swap(true) {
		b.end()
	}
}
