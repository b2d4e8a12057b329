package proxy

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"iqgateway/internal/exchange"
)

// lingerTime is how long net/http may look for the end of a body that no
// stage has read, after the answer went out. A client that has already sent
// its body gets the answer instead of a reset connection.
const lingerTime = 500 * time.Millisecond

// watchdog calls fire when start is not followed by stop within idle.
type watchdog struct {
	idle time.Duration
	fire func()

	mu       sync.Mutex
	timer    *time.Timer
	deadline time.Time // zero while stopped
}

func (d *watchdog) start() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.deadline = time.Now().Add(d.idle)
	if d.timer == nil {
		d.timer = time.AfterFunc(d.idle, d.expire)
		return
	}
	d.timer.Reset(d.idle)
}

func (d *watchdog) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.deadline = time.Time{}
	if d.timer != nil {
		d.timer.Stop()
	}
}

// expire may be late: the deadline, not the timer, decides.
func (d *watchdog) expire() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.deadline.IsZero() && !time.Now().Before(d.deadline) {
		d.fire()
	}
}

// passed is a deadline that ends what it is set for at once.
func passed() time.Time { return time.Unix(1, 0) }

// responseGuard is the caller's side of an answer: it ends a transfer that the
// caller does not take, and a connection that must not be used again.
//
// The deadlines of net/http cannot be used alone: on HTTP/2 they also strike
// while nothing waits to be written, so a slow upstream would trip them.
type responseGuard struct {
	http.ResponseWriter

	control    *http.ResponseController
	body       *bodyGuard // nil when the request has none
	idle       watchdog
	http1      bool
	closeAfter bool
}

func (s *sanitizer) guardResponse(w http.ResponseWriter, r *http.Request) *responseGuard {
	g := &responseGuard{ResponseWriter: w, control: http.NewResponseController(w), http1: r.ProtoMajor == 1}
	// A chunked request may have had a Content-Length that net/http has
	// removed (RFC 9112 section 6.1), one of HTTP/1.0 a Transfer-Encoding
	// that it ignored: the next bytes may be no request of this caller.
	g.closeAfter = g.http1 && (r.ProtoMinor == 0 || len(r.TransferEncoding) > 0)
	g.idle.idle = s.WriteIdleTimeout
	g.idle.fire = func() { _ = g.control.SetWriteDeadline(passed()) }
	g.body = s.guardBody(w, r, g.control)
	return g
}

// WriteHeader implements http.ResponseWriter. The decision to close stands
// here because interim answers clear the fields that were set before.
func (g *responseGuard) WriteHeader(status int) {
	if status >= http.StatusOK && g.http1 && (g.closeAfter || g.body.unread()) {
		g.Header().Set("Connection", "close")
	}
	g.idle.start()
	defer g.idle.stop()
	g.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (g *responseGuard) Write(p []byte) (int, error) {
	g.idle.start()
	defer g.idle.stop()
	return g.ResponseWriter.Write(p)
}

// FlushError serves http.ResponseController.
func (g *responseGuard) FlushError() error {
	g.idle.start()
	defer g.idle.stop()
	return g.control.Flush()
}

// Unwrap serves http.ResponseController.
func (g *responseGuard) Unwrap() http.ResponseWriter { return g.ResponseWriter }

// finish bounds what net/http does after the handler: write what is buffered,
// look for the end of the body.
func (g *responseGuard) finish() {
	g.idle.stop()
	g.body.finish()
	_ = g.control.SetWriteDeadline(time.Now().Add(g.idle.idle))
}

// bodyGuard is the caller's request body. Its errors are *ClientBodyError.
type bodyGuard struct {
	src     io.ReadCloser
	control *http.ResponseController
	idle    watchdog
	state   atomic.Int32
}

// The states of a bodyGuard.
const (
	bodyOpen int32 = iota
	bodyEOF
	bodyOver // the handler has returned: the transport must not read on
)

func (s *sanitizer) guardBody(w http.ResponseWriter, r *http.Request, c *http.ResponseController) *bodyGuard {
	if r.ContentLength == 0 && !mustBeEmpty(r) || r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	b := &bodyGuard{src: r.Body, control: c}
	if s.MaxBody > 0 {
		b.src = http.MaxBytesReader(w, r.Body, s.MaxBody)
	}
	b.idle.idle = s.BodyIdleTimeout
	b.idle.fire = func() { _ = c.SetReadDeadline(passed()) }
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
	}
	return n, clientBodyError(err)
}

// isEmpty waits for the end of a body that must have no bytes.
func (b *bodyGuard) isEmpty() bool {
	n, err := b.Read(make([]byte, 1))
	return n == 0 && errors.Is(err, io.EOF)
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
