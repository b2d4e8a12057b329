package proxy

import (
	"fmt"
	"io"
	"sync/atomic"

	"iqgateway/internal/exchange"
)

// requestBody is the caller's body on its way upstream, within the service's
// size limit. The transport reads it in a goroutine of its own.
type requestBody struct {
	io.ReadCloser
	limit int64 // bytes; 0 = none
	read  atomic.Int64
	ended atomic.Bool
}

// Read implements [io.Reader]. Beyond the limit it fails instead of ending, so
// that the upstream sees an aborted message and never a complete shorter one.
func (b *requestBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	total := b.read.Add(int64(n))
	if b.limit > 0 && total > b.limit {
		return 0, tooLarge(b.limit)
	}
	if err == io.EOF {
		b.ended.Store(true)
	}
	return n, err
}

// Consumed reports whether the body was read to its end, so that the next
// request on the connection can be found.
func (b *requestBody) Consumed() bool { return b.ended.Load() }

func tooLarge(limit int64) *exchange.Problem {
	p := exchange.Refuse(exchange.BodyTooLarge,
		fmt.Sprintf("the request body is larger than the %d bytes that this service accepts (limits.max_body)", limit))
	p.Close = true
	return p
}
