package proxy

import (
	"context"
	"crypto/tls"
	"sync"
	"sync/atomic"
)

// secureConn is a TLS connection of a caller. On one that speaks HTTP/2 it can
// announce the end: the GOAWAY of net/http names the last stream that it has
// seen, which has clients repeat those that are on the way, and those with a
// body that is gone fail. RFC 9113 section 6.8 therefore asks for one that
// admits every stream first, and net/http sends none such.
type secureConn struct {
	*tls.Conn
	drain *drainConn
	lame  *atomic.Bool

	http2 bool // by the handshake

	mu        sync.Mutex
	announced bool
	out       frameTrack
}

// HandshakeContext is how net/http begins.
func (c *secureConn) HandshakeContext(ctx context.Context) error {
	if err := c.Conn.HandshakeContext(ctx); err != nil {
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
	if err == nil && c.lame.Load() {
		c.announce()
	}
	return n, err
}

// goAway announces the end now, if the connection has had its first answer, and
// else with that.
func (c *secureConn) goAway() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.announce()
}

// announce asks the client to open no more streams. A connection without an
// answer so far is spared: its client would only try again, and meet the same.
func (c *secureConn) announce() {
	if c.announced || !c.out.answered || !c.out.between() {
		return
	}
	c.announced = true
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
	answered bool // an answer has begun
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
	f.got = 0
	f.left = int(f.head[0])<<16 | int(f.head[1])<<8 | int(f.head[2])
	switch f.head[3] {
	case frameHeaders:
		f.answered = true
		f.block = f.head[4]&flagEndHeaders == 0
	case frameContinuation:
		f.block = f.head[4]&flagEndHeaders == 0
	}
}
