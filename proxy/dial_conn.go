package proxy

import (
	"crypto/tls"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// countedConn counts the bytes handed to the network, so that an attempt can
// prove that nothing of its request left this machine.
type countedConn struct {
	net.Conn
	written atomic.Int64
	stall   time.Duration // bounds one write; 0 = no bound
	closed  func()        // is told of the end; nil = nobody is

	// Both are used between reads only.
	impatient bool       // reads fail instead of waiting
	records   *recordEnd // of what was read, once there is TLS above

	control syscall.RawConn // nil where there is no file descriptor
	peek    sync.Mutex      // guards what follows
	look    func(fd uintptr)
	one     [1]byte
	found   bool
}

// newCountedConn bounds each write, of at most a few KiB, by stall: no timeout of
// net/http covers an upstream that has stopped reading.
func newCountedConn(conn net.Conn, stall time.Duration) *countedConn {
	c := &countedConn{Conn: conn, stall: stall}
	if s, ok := conn.(syscall.Conn); ok {
		c.control, _ = s.SyscallConn() // without it readable says no
	}
	return c
}

// Read implements [net.Conn].
func (c *countedConn) Read(p []byte) (int, error) {
	if c.impatient && !c.readable() {
		return 0, errNothingYet
	}
	n, err := c.Conn.Read(p)
	if c.records != nil {
		c.records.pass(p[:n])
	}
	return n, err
}

// Write implements [net.Conn].
func (c *countedConn) Write(p []byte) (int, error) {
	if c.stall > 0 {
		if err := c.SetWriteDeadline(time.Now().Add(c.stall)); err != nil {
			return 0, err
		}
	}
	n, err := c.Conn.Write(p)
	c.written.Add(int64(n))
	return n, err
}

// Close implements [net.Conn].
func (c *countedConn) Close() error {
	if c.closed != nil {
		c.closed()
	}
	return c.Conn.Close()
}

// nothingYetError is the error of an impatient read. It is temporary, so that TLS
// goes on afterwards where it was.
type nothingYetError struct{}

var errNothingYet net.Error = nothingYetError{}

// Error implements error.
func (nothingYetError) Error() string { return "nothing to read yet" }

// Timeout implements [net.Error].
func (nothingYetError) Timeout() bool { return true }

// Temporary implements [net.Error].
func (nothingYetError) Temporary() bool { return true }

// countedUnder finds the counter below any layers of HTTP/1 and TLS; nil when
// the connection was not made by this package.
func countedUnder(conn net.Conn) *countedConn {
	for {
		switch c := conn.(type) {
		case *countedConn:
			return c
		case *http1Conn:
			return c.raw
		case *tls.Conn:
			conn = c.NetConn()
		default:
			return nil
		}
	}
}
