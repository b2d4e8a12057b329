package proxy

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"iqgateway/internal/exchange"
)

// lingerTime is how long net/http may look for the end of a body that no
// stage has read, after the answer went out. A client that has already sent
// its body gets the answer instead of a reset connection.
const lingerTime = 500 * time.Millisecond

// bodyGuard is the caller's request body. Its errors are *ClientBodyError.
type bodyGuard struct {
	src     io.ReadCloser
	control *http.ResponseController
	idle    watchdog
	state   atomic.Int32
	stalled atomic.Bool
}

// The states of a bodyGuard.
const (
	bodyOpen int32 = iota
	bodyEOF
	bodyOver // the handler has returned: the transport must not read on
)

func (s *sanitizer) guardBody(w http.ResponseWriter, r *http.Request) *bodyGuard {
	if r.ContentLength == 0 && !mustBeEmpty(r) || r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	b := &bodyGuard{src: r.Body, control: http.NewResponseController(w)}
	if s.MaxBody > 0 {
		b.src = http.MaxBytesReader(w, r.Body, s.MaxBody)
	}
	b.idle.idle = s.BodyIdleTimeout
	b.idle.fire = func() {
		b.stalled.Store(true) // net/http hides the error of a trailer's end
		_ = b.control.SetReadDeadline(passed())
	}
	return b
}

// Read implements io.Reader.
func (b *bodyGuard) Read(p []byte) (int, error) {
	switch b.state.Load() {
	case bodyEOF:
		return 0, io.EOF
	case bodyOver:
		return 0, http.ErrBodyReadAfterClose
	}
	b.idle.start()
	n, err := b.src.Read(p)
	b.idle.stop()
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		b.state.CompareAndSwap(bodyOpen, bodyEOF)
		return n, io.EOF
	case b.stalled.Load():
		return n, &ClientBodyError{exchange.RequestTimeout, err}
	}
	return n, clientBodyError(err)
}

// checkEmpty waits for the end of a body that must have no bytes.
func (b *bodyGuard) checkEmpty(r *http.Request) *exchange.Problem {
	n, err := b.Read(make([]byte, 1))
	fault, broken := errors.AsType[*ClientBodyError](err)
	switch {
	case n > 0:
		return unexpectedBody(r)
	case broken && fault.Type == exchange.RequestTimeout:
		return exchange.Refuse(exchange.RequestTimeout, "the end of the request (END_STREAM) did not come").Because(fault)
	case broken:
		return fault.Problem()
	}
	return nil
}

func clientBodyError(err error) *ClientBodyError {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return &ClientBodyError{exchange.BodyTooLarge, err}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &ClientBodyError{exchange.RequestTimeout, err}
	default:
		return &ClientBodyError{exchange.MalformedRequest, err}
	}
}

// Close implements io.Closer. It leaves the body to net/http, which reads some
// of what is left: that is bounded by finish, and must not delay the answer.
func (b *bodyGuard) Close() error { return nil }

// Consumed reports whether the body was read to its end.
func (b *bodyGuard) Consumed() bool { return b.state.Load() == bodyEOF }

func (b *bodyGuard) unread() bool {
	return b != nil && !b.Consumed()
}

func (b *bodyGuard) finish() {
	if b == nil {
		return
	}
	if b.state.CompareAndSwap(bodyOpen, bodyOver) {
		_ = b.control.SetReadDeadline(time.Now().Add(lingerTime))
	}
	b.idle.stop()
}
