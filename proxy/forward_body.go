package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"iqgateway/internal/exchange"
)

// requestBody is the caller's body on its way upstream, within the service's
// size limit. The transport reads it in a goroutine of its own.
type requestBody struct {
	io.ReadCloser
	limit int64 // bytes; 0 = none
	read  atomic.Int64
	ended atomic.Bool

	ctx       context.Context       //nolint:containedctx // lives exactly as long as the request
	interrupt func(time.Time) error // sets the deadline of reads from the caller

	mu      sync.Mutex
	reading bool
	expired bool
}

var errSlowUpload = errors.New("the deadline of the request passed while its body was still to come")

// Read implements [io.Reader]. Beyond the limit it fails instead of ending, so
// that the upstream sees an aborted message and never a complete shorter one.
func (b *requestBody) Read(p []byte) (int, error) {
	if !b.begin() {
		return 0, context.Cause(b.ctx)
	}
	n, err := b.ReadCloser.Read(p)
	interrupted := b.end()
	if err != nil && err != io.EOF && interrupted {
		return n, &ClientBodyError{exchange.RequestTimeout, errSlowUpload}
	}
	total := b.read.Add(int64(n))
	if b.limit > 0 && total > b.limit {
		return 0, tooLarge(b.limit)
	}
	if err == io.EOF {
		b.ended.Store(true)
	}
	return n, err
}

func (b *requestBody) begin() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reading = !b.expired
	return b.reading
}

func (b *requestBody) end() (interrupted bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reading = false
	return b.expired
}

// expire ends the read that is under way when the request's time is over: the
// transport returns no sooner than that. A read deadline that strikes when no
// body is read would make net/http believe that the caller has left.
func (b *requestBody) expire() {
	if !isDeadline(context.Cause(b.ctx)) {
		return // the caller left, and reads fail by themselves
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expired = true
	if b.reading {
		_ = b.interrupt(passed()) // a writer that is not net/http's has no deadlines
	}
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
