package proxy

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"
)

// errSpoilt is what reads and writes of an HTTP/1 connection get after the
// upstream has sent bytes that belong to no answer. Nothing is written then, so
// that the request goes out on another connection.
var errSpoilt = errors.New("the upstream has sent more than one answer to one request; the connection is not used again")

// http1Conn is an HTTP/1 connection on which every answer belongs to the
// request before it. net/http gives a connection back to its pool before it
// looks at what is left behind an answer; a request that waits for a connection
// would then be answered with whatever stands there. So what is left over never
// gets up to net/http: bytes behind the end of an answer, or without a request,
// spoil the connection.
//
// One thing no client can see: bytes that an upstream sends of its own accord
// and that arrive only after the next request was written.
type http1Conn struct {
	net.Conn              // TLS, or raw itself
	raw      *countedConn // with its records, when there is TLS above
	keep     *keepTime    // of the upstream's connections; nil = it is not learned

	mu      sync.Mutex
	answer  answerEnd
	claimed bool // a request will begin with the next write
	method  string
	served  bool          // there was an answer
	idle    time.Time     // since when, if it is served and at an end
	lapse   time.Duration // for how long it was, before the request that is under way
	unheard bool          // of that request nothing has come back yet
	silent  error         // the end of the connection, which came instead
	spoilt  bool
}

// newHTTP1Conn takes a connection of which HTTP has used nothing yet.
func newHTTP1Conn(conn net.Conn, raw *countedConn) *http1Conn {
	return &http1Conn{Conn: conn, raw: raw, answer: answerEnd{phase: atEnd}}
}

// claim announces a request. When the answer to the last one has not ended, as
// far as can be told, the connection is spoilt.
func (c *http1Conn) claim(method string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spoilt = c.spoilt || c.answer.phase != atEnd
	c.claimed, c.method = true, method
}

// hasBegun reports whether the request that was claimed for has been written,
// in part at least, to the layers below.
func (c *http1Conn) hasBegun() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.claimed
}

// Read implements [net.Conn].
func (c *http1Conn) Read(p []byte) (int, error) {
	if c.isSpoilt() {
		return 0, errSpoilt
	}
	n, err := c.Conn.Read(p)
	if n == 0 {
		c.closed(err)
		return c.hideSilence(p, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unheard = false
	used := c.answer.pass(p[:n])
	switch {
	case used < n:
		c.spoilt = true
	case c.answer.phase == atEnd:
		c.served, c.idle = true, time.Now()
		c.spoilt = err != nil || !c.isQuiet()
	}
	if used < n {
		err = errSpoilt
	}
	return used, err
}

// hideSilence puts one byte of an answer before the end of a connection on which
// a request was written and nothing came back. net/http takes a connection that
// ends in silence for one that was dead before, and sends reads again by itself:
// beside the retry budget, the quota and the breaker. It never does once an
// answer has begun. What really happened is then to be had from silence.
func (c *http1Conn) hideSilence(p []byte, err error) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.unheard || err == nil || errors.Is(err, net.ErrClosed) || len(p) == 0 { // one that we have closed has no request any more
		return 0, err
	}
	c.unheard, c.silent = false, err
	p[0] = 'H'
	return 1, err
}

// silence returns how the connection ended, if that was before anything of the
// last answer; else nil.
func (c *http1Conn) silence() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.silent
}

// closed books the end of a connection that nobody used, or on which a request
// was written too late.
func (c *http1Conn) closed(err error) {
	if !isClosedByPeer(err) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	switch {
	case !c.served:
	case c.answer.phase == atEnd:
		c.keep.ended(now.Sub(c.idle), now)
	case c.unheard:
		c.keep.ended(c.lapse, now)
	}
}

// distrust spoils a connection that has been idle for so long, and for longer than
// grace, that a request on it might be lost, and reports whether it did. claim
// comes first.
func (c *http1Conn) distrust(grace time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	idle := now.Sub(c.idle)
	if c.keep == nil || !c.served || idle < grace || c.keep.trusts(idle, now) {
		return false
	}
	c.spoilt = true
	return true
}

func (c *http1Conn) isSpoilt() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.spoilt
}

// isQuiet reports, at the end of an answer, whether nothing has come with it:
// neither in the layers of TLS nor in the kernel.
func (c *http1Conn) isQuiet() bool {
	if c.Conn == net.Conn(c.raw) {
		return !c.raw.readable()
	}
	c.raw.impatient = true
	defer func() { c.raw.impatient = false }()
	var one [1]byte
	n, err := c.Conn.Read(one[:])
	return n == 0 && errors.Is(err, errNothingYet) && c.raw.records.between()
}

// Write implements [net.Conn].
func (c *http1Conn) Write(p []byte) (int, error) {
	if err := c.beforeWrite(); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// beforeWrite lets a request begin, with its first write. On a TLS connection
// that has not served yet, what can be read may be a session ticket.
func (c *http1Conn) beforeWrite() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.claimed {
		return nil // the rest of a request, perhaps behind an early answer
	}
	if (c.served || c.Conn == net.Conn(c.raw)) && c.raw.readable() {
		if now := time.Now(); c.served && !c.spoilt {
			c.keep.ended(now.Sub(c.idle), now) // what else would come now
		}
		c.spoilt = true
	}
	if c.spoilt {
		return errSpoilt
	}
	c.claimed, c.unheard = false, true
	if c.served {
		c.lapse = time.Since(c.idle)
	}
	c.answer.begin(c.method)
	return nil
}

// ConnectionState is for net/http, which calls it for https:// only.
func (c *http1Conn) ConnectionState() tls.ConnectionState {
	if secure, ok := c.Conn.(*tls.Conn); ok {
		return secure.ConnectionState()
	}
	return tls.ConnectionState{}
}
