package proxy

import (
	"context"
	"errors"
	"net/http/httptrace"
	"net/textproto"
	"sync"
)

// An upstream may send any number of interim answers, and each of them resets
// net/http's own limit of header bytes.
const (
	maxInterim      = 16
	maxInterimBytes = 64 << 10
)

var (
	errTooManyInterim = errors.New("the upstream sent too many or too long interim (1xx) answers")
	errUnprocessed    = errors.New("the upstream has declared that it did not look at the request")
)

// connTrace watches what one attempt does on the wire. Its hooks run in
// goroutines of the transport.
type connTrace struct {
	cancel context.CancelCauseFunc
	upload *uploadWatch

	mu           sync.Mutex
	conn         *countedConn // nil when the transport is not one of ours
	http1        *http1Conn   // nil with HTTP/2
	mark         int64        // bytes written on conn when we got it
	connections  int
	reused       bool // the last connection had served before
	wrote        bool // the header was written to the last connection
	sentBefore   int  // earlier connections on which something was sent
	unprocessed  bool // it was sent over HTTP/2, and the upstream has declared that it did not look at it
	interim      int
	interimBytes int
}

// hooks returns t as a trace. A trace that is already in the context is called
// after it.
func (t *connTrace) hooks() *httptrace.ClientTrace {
	hooks := &httptrace.ClientTrace{
		GotConn:        t.gotConn,
		WroteHeaders:   t.wroteHeaders,
		Got1xxResponse: t.gotInterim,
	}
	if t.upload.on() {
		hooks.WroteRequest = t.wroteRequest
	}
	return hooks
}

func (t *connTrace) gotConn(info httptrace.GotConnInfo) {
	t.mu.Lock()
	defer t.mu.Unlock()
	http1, _ := info.Conn.(*http1Conn)
	switch {
	case !t.sentOnLast():
	case t.wrote && t.conn != nil && t.http1 == nil && http1 == nil:
		// Over HTTP/2 the transport repeats what the upstream did not look at, and
		// that seven times within a minute. It writes nothing once this has ended.
		t.unprocessed = true
		t.cancel(errUnprocessed)
	default:
		t.sentBefore++ // the transport itself repeats a request: see http1Conn.hideSilence
	}
	t.connections++
	t.reused, t.wrote = info.Reused, false
	t.http1 = http1
	t.conn, t.mark = countedUnder(info.Conn), 0
	if t.conn != nil {
		t.mark = t.conn.written.Load()
	}
}

func (t *connTrace) wroteHeaders() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.wrote = true
}

func (t *connTrace) wroteRequest(info httptrace.WroteRequestInfo) {
	if info.Err == nil { // else there may be another try
		t.upload.end()
	}
}

// gotInterim ends the attempt when there are too many interim answers. They go
// no further: see untraced.
func (t *connTrace) gotInterim(_ int, header textproto.MIMEHeader) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.interim++
	for name, values := range header {
		for _, v := range values {
			t.interimBytes += len(name) + len(v)
		}
	}
	if t.interim > maxInterim || t.interimBytes > maxInterimBytes {
		t.cancel(errTooManyInterim)
		return errTooManyInterim
	}
	return nil
}

// sentOnLast reports whether any byte may have gone out on the last
// connection. The counter below TLS is exact but for frames that HTTP/2 sends
// for others, which can only turn the answer into a cautious yes. Over HTTP/1 it
// would also count the alert with which TLS ends a connection that took nothing.
func (t *connTrace) sentOnLast() bool {
	if t.http1 != nil && !t.http1.hasBegun() {
		return false
	}
	if t.conn != nil {
		return t.conn.written.Load() > t.mark
	}
	return t.wrote
}

// sent reports whether a part of the request may have left this machine and been
// looked at.
func (t *connTrace) sent() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sentBefore > 0 || !t.unprocessed && t.sentOnLast()
}

// connected reports whether there was a connection at all.
func (t *connTrace) connected() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.connections > 0
}

// onReused reports whether the last connection had served before.
func (t *connTrace) onReused() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.reused
}

// stale reports whether the last connection came from the pool and took
// nothing: it had died there.
func (t *connTrace) stale() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.reused && t.sentBefore == 0 && !t.sentOnLast()
}

// resends returns how often the request went out again on another connection.
func (t *connTrace) resends() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sentBefore
}
