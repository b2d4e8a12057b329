package proxy

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"iqgateway/internal/steady"
)

// secureConn is a TLS connection of a caller. On one that speaks HTTP/2 it can
// announce the end: the GOAWAY of net/http names the last stream that it has
// seen, which has clients repeat those that are on the way, and those with a
// body that is gone fail. RFC 9113 section 6.8 therefore asks for one that
// admits every stream first, and net/http sends none such.
type secureConn struct {
	*tls.Conn
	drain  *drainConn
	lame   *atomic.Bool
	failed func(peer net.Addr, err error) // a handshake; nil = nobody is told

	http2 bool // by the handshake

	dismissing atomic.Bool
	announced  atomic.Int64 // when the end was, in ns since the connection began; 0 = not yet

	mu  sync.Mutex
	out frameTrack
}

// HandshakeContext is how net/http begins.
func (c *secureConn) HandshakeContext(ctx context.Context) error {
	if err := c.Conn.HandshakeContext(ctx); err != nil {
		if c.failed != nil {
			c.failed(c.RemoteAddr(), err)
		}
		return err
	}
	c.http2 = c.ConnectionState().NegotiatedProtocol == protoHTTP2
	c.drain.shaken(c.http2)
	return nil
}

// Write implements [net.Conn].
func (c *secureConn) Write(p []byte) (int, error) {
	if !c.http2 {
		return c.Conn.Write(p)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	n, err := c.Conn.Write(p)
	c.out.advance(p[:n])
	if err == nil && c.lame.Load() && c.out.answered {
		c.announce()
	}
	return n, err
}

// goAway announces the end now, if the connection has had its first answer, and
// else with that: its client would only try again, and meet the same.
func (c *secureConn) goAway() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.out.answered {
		c.announce()
	}
}

// dismiss announces the end whatever there was, as nobody can connect again, and
// reports whether streams that were on the way have had time to come.
func (c *secureConn) dismiss(panicked steady.Panicked) bool {
	if at := c.announced.Load(); at != 0 {
		return time.Since(c.drain.began)-time.Duration(at) >= lastLook
	}
	if c.dismissing.CompareAndSwap(false, true) {
		go steady.Try(func() { // a client that reads nothing would hold up the others
			defer c.dismissing.Store(false)
			c.mu.Lock()
			defer c.mu.Unlock()
			c.announce()
		}, panicked)
	}
	return false
}

// announce asks the client to open no more streams.
func (c *secureConn) announce() {
	if c.announced.Load() != 0 || !c.out.begun || !c.out.between() {
		return
	}
	c.announced.Store(int64(time.Since(c.drain.began)))
	if c.out.ended { // another must not name a later stream (RFC 9113 section 6.8)
		return
	}
	goAway := []byte{0, 0, 8, frameGoAway, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0}
	_, _ = c.Conn.Write(goAway) // a connection that fails here fails its next answer too
}

const (
	frameHeaders      = 0x1
	frameGoAway       = 0x7
	frameContinuation = 0x9
	flagEndHeaders    = 0x4

	frameHeader = 9 // bytes before the payload
)

// frameTrack follows the frames (RFC 9113 section 4.1) in what a server writes.
type frameTrack struct {
	head     [frameHeader]byte
	got      int  // bytes of head
	left     int  // bytes of the payload
	block    bool // a header block is not complete, nothing may come between
	begun    bool // the SETTINGS that come first have
	answered bool // an answer has begun
	ended    bool // net/http has sent a GOAWAY of its own
}

// between reports whether another frame may be put in here.
func (f *frameTrack) between() bool { return f.got == 0 && f.left == 0 && !f.block }

// advance takes what was written.
func (f *frameTrack) advance(p []byte) {
	for len(p) > 0 {
		if f.left > 0 {
			n := min(f.left, len(p))
			f.left -= n
			p = p[n:]
			continue
		}
		n := copy(f.head[f.got:], p)
		f.got += n
		p = p[n:]
		if f.got == frameHeader {
			f.begin()
		}
	}
}

// begin takes a whole frame header.
func (f *frameTrack) begin() {
	f.got, f.begun = 0, true
	f.left = int(f.head[0])<<16 | int(f.head[1])<<8 | int(f.head[2])
	switch f.head[3] {
	case frameHeaders:
		f.answered = true
		f.block = f.head[4]&flagEndHeaders == 0
	case frameGoAway:
		f.ended = true
	case frameContinuation:
		f.block = f.head[4]&flagEndHeaders == 0
	}
}
