package exchange

import (
	"io"
	"sync/atomic"
)

// OnEnd returns the body of an answer that calls end once it has ended: read to
// its end, broken off or closed. What an answer holds (a slot, a token of
// requests at once) is held until then, as the upstream works that long.
func OnEnd(body io.ReadCloser, end func()) io.ReadCloser {
	return &endingBody{ReadCloser: body, end: end}
}

type endingBody struct {
	io.ReadCloser
	end   func()
	ended atomic.Bool
}

// Read implements [io.Reader].
func (b *endingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.finish()
	}
	return n, err
}

// Close implements [io.Closer].
func (b *endingBody) Close() error {
	defer b.finish() // after it, so that the connection is free before the slot is
	return b.ReadCloser.Close()
}

// finish calls end, once. A close may come from another goroutine than the
// reads.
func (b *endingBody) finish() {
	if !b.ended.Swap(true) {
		b.end()
	}
}
