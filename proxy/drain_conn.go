package proxy

import (
	"net"
	"net/http"
	"sync"
	"time"

	"iqgateway/internal/steady"
)

// protoHTTP2 is the name of HTTP/2 in a TLS handshake.
const protoHTTP2 = "h2"

// drainConn is a connection of a caller, as the network carries it. It knows
// whether a byte of the next request has come, which net/http tells nobody
// before it has the whole header.
type drainConn struct {
	net.Conn
	secure *secureConn // nil = plain
	began  time.Time

	mu       sync.Mutex
	state    http.ConnState
	http2    bool
	silent   bool      // new or idle, and no byte came since
	retiring bool      // closed when a last look passes in silence
	deadline time.Time // that net/http set for reads
	pending  bool      // the connection below does not know the deadline yet
	readers  int       // reads under way
	writes   time.Time // deadline for writes
}

// drainConnOf returns the connection below what net/http holds.
func drainConnOf(c net.Conn) *drainConn {
	switch c := c.(type) {
	case *drainConn:
		return c
	case *secureConn:
		return c.drain
	default:
		return nil
	}
}

// Read implements [net.Conn].
func (c *drainConn) Read(p []byte) (int, error) {
	if err := c.beginRead(); err != nil {
		return 0, err
	}
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	c.readers--
	if n > 0 {
		c.speak()
	}
	c.mu.Unlock()
	return n, err
}

// beginRead hands on the deadline that holds for a read.
func (c *drainConn) beginRead() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pending && !c.retiring {
		if err := c.applyDeadline(); err != nil {
			return err
		}
	}
	c.readers++
	return nil
}

func (c *drainConn) applyDeadline() error {
	c.pending = false
	return c.Conn.SetReadDeadline(c.deadline)
}

// SetReadDeadline implements [net.Conn]. That of a retiring connection stands.
// Of the six deadlines that net/http sets around each request half are never
// met: one reaches the network when a read does.
func (c *drainConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline, c.pending = t, true
	if c.retiring || c.readers == 0 {
		return nil
	}
	return c.applyDeadline()
}

// deadlineGrain is how much earlier than asked a write may be given up: a
// connection of many short answers a second needs no new deadline for each.
const deadlineGrain = 100 * time.Millisecond

// SetWriteDeadline implements [net.Conn].
func (c *drainConn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if later := t.Sub(c.writes); !c.writes.IsZero() && later >= 0 && later < deadlineGrain {
		return nil
	}
	c.writes = t
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline implements [net.Conn].
func (c *drainConn) SetDeadline(t time.Time) error {
	if err := c.SetWriteDeadline(t); err != nil {
		return err
	}
	return c.SetReadDeadline(t)
}

// CloseWrite lets net/http end an answer before the request is read.
func (c *drainConn) CloseWrite() error { return closeWrite(c.Conn) }

// setState follows what net/http makes of the connection.
func (c *drainConn) setState(state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state = state
	if state == http.StateNew || state == http.StateIdle {
		c.silent = true
		return
	}
	c.speak()
}

// shaken notes the end of the handshake, after which a client may say nothing
// for long. Of HTTP/2 net/http tells states too, but it ends by GOAWAY.
func (c *drainConn) shaken(http2 bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.http2 = http2
	c.silent = !http2
}

// speak notes that the connection has something to say after all.
func (c *drainConn) speak() {
	c.silent = false
	if c.retiring {
		c.retiring = false
		_ = c.applyDeadline() // fails when closed, as the next read will
	}
}

// retire has a silent connection end, and reports whether no first byte, rest of
// a header or stream is awaited on it. A new one has firstLook from its beginning.
func (c *drainConn) retire(panicked steady.Panicked) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.http2 {
		return c.secure.dismiss(panicked)
	}
	if c.silent && !c.retiring {
		look := lastLook
		if c.state == http.StateNew {
			look = max(look, firstLook-time.Since(c.began))
		}
		c.retiring = true
		_ = c.Conn.SetReadDeadline(time.Now().Add(look)) // fails when closed
	}
	return c.state != http.StateNew && c.state != http.StateIdle
}

// working reports whether a request is under way, or the rest of its answer.
func (c *drainConn) working() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state == http.StateActive
}
