package proxy

import (
	"crypto/tls"
	"net"
	"sync/atomic"
	"time"
)

// writeStall bounds one write of at most a few KiB to an upstream that has
// stopped reading; no other timeout of net/http covers an upload.
const writeStall = 30 * time.Second

// countedConn counts the bytes handed to the network, so that an attempt can
// prove that nothing of its request left this machine.
type countedConn struct {
	net.Conn
	written atomic.Int64
}

// Write implements [net.Conn].
func (c *countedConn) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(writeStall)); err != nil {
		return 0, err
	}
	n, err := c.Conn.Write(p)
	c.written.Add(int64(n))
	return n, err
}

// countedUnder finds the counter below any layers of TLS; nil when the
// connection was not made by this package.
func countedUnder(conn net.Conn) *countedConn {
	for {
		switch c := conn.(type) {
		case *countedConn:
			return c
		case *tls.Conn:
			conn = c.NetConn()
		default:
			return nil
		}
	}
}
