package proxy

import (
	"net/http"
	"time"
)

// responseGuard is the caller's side of an answer: it ends a transfer that the
// caller does not take, and a connection that must not be used again.
//
// On HTTP/1 it moves the write deadline of the connection ahead of each write.
// On HTTP/2 the deadlines of net/http also strike while nothing waits to be
// written, so a slow upstream would trip them: there a watchdog does it.
type responseGuard struct {
	http.ResponseWriter

	body       *bodyGuard // nil when the request has none
	idle       time.Duration
	deadline   time.Time // of the connection; zero = as net/http has set it
	watchdog   watchdog  // of HTTP/2
	http1      bool
	closeAfter bool
}

func (s *sanitizer) guardResponse(w http.ResponseWriter, r *http.Request) *responseGuard {
	g := &responseGuard{ResponseWriter: w, idle: s.WriteIdleTimeout, http1: r.ProtoMajor == 1}
	// A chunked request may have had a Content-Length that net/http has
	// removed (RFC 9112 section 6.1), one of HTTP/1.0 a Transfer-Encoding
	// that it ignored: the next bytes may be no request of this caller.
	g.closeAfter = g.http1 && (r.ProtoMinor == 0 || len(r.TransferEncoding) > 0)
	if !g.http1 {
		g.watchdog.idle = s.WriteIdleTimeout
		g.watchdog.fire = func() { _ = http.NewResponseController(w).SetWriteDeadline(passed()) }
	}
	g.body = s.guardBody(w, r)
	return g
}

// start gives the caller time to take what is written next.
func (g *responseGuard) start() {
	if !g.http1 {
		g.watchdog.start()
		return
	}
	// Many writes in a row need no deadline each.
	if now := time.Now(); g.deadline.Sub(now) < g.idle-g.idle/8 {
		g.deadline = now.Add(g.idle)
		_ = http.NewResponseController(g.ResponseWriter).SetWriteDeadline(g.deadline)
	}
}

func (g *responseGuard) stop() {
	if !g.http1 {
		g.watchdog.stop()
	}
}

// WriteHeader implements http.ResponseWriter. The decision to close stands
// here because interim answers clear the fields that were set before.
func (g *responseGuard) WriteHeader(status int) {
	if status >= http.StatusOK && g.http1 && (g.closeAfter || g.body.unread()) {
		g.Header().Set("Connection", "close")
	}
	if g.http1 && status >= http.StatusOK { // net/http sends it with what is written next
		g.ResponseWriter.WriteHeader(status)
		return
	}
	g.start()
	defer g.stop()
	g.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (g *responseGuard) Write(p []byte) (int, error) {
	g.start()
	defer g.stop()
	return g.ResponseWriter.Write(p)
}

// FlushError serves http.ResponseController.
func (g *responseGuard) FlushError() error {
	g.start()
	defer g.stop()
	return http.NewResponseController(g.ResponseWriter).Flush()
}

// Unwrap serves http.ResponseController.
func (g *responseGuard) Unwrap() http.ResponseWriter { return g.ResponseWriter }

// finish bounds what net/http does after the handler: write what is buffered,
// look for the end of the body.
func (g *responseGuard) finish() {
	g.stop()
	g.body.finish()
	if g.http1 {
		g.start()
		return
	}
	_ = http.NewResponseController(g.ResponseWriter).SetWriteDeadline(time.Now().Add(g.idle))
}
