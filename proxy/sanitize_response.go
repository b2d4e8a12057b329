package proxy

import (
	"net/http"
	"time"
)

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
