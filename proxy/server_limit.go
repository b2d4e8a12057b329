package proxy

import (
	"net"
	"sync"
)

// LimitConnections returns a listener that holds at most n connections; further
// ones wait in the kernel's queue until one ends. A [Drainer] lifts the limit
// before it closes the listener, as the kernel resets those that wait then.
func LimitConnections(l net.Listener, n int) net.Listener {
	return &limitedListener{Listener: l, slots: make(chan struct{}, n), lifted: make(chan struct{})}
}

type limitedListener struct {
	net.Listener
	slots  chan struct{} // one for each connection that counts
	lifted chan struct{} // closed: none counts any more

	lift sync.Once
}

// liftLimit has every connection accepted from now on.
func (l *limitedListener) liftLimit() { l.lift.Do(func() { close(l.lifted) }) }

// Accept implements [net.Listener].
func (l *limitedListener) Accept() (net.Conn, error) {
	free := func() {}
	select {
	case l.slots <- struct{}{}:
		free = func() { <-l.slots }
	case <-l.lifted:
	}
	c, err := l.Listener.Accept()
	if err != nil {
		free()
		return nil, err
	}
	return &limitedConn{Conn: c, free: free}, nil
}

// Close implements [net.Listener]. An Accept that waits for a slot fails too.
func (l *limitedListener) Close() error {
	err := l.Listener.Close()
	l.liftLimit()
	return err
}

// limitedConn frees its slot when it is closed.
type limitedConn struct {
	net.Conn

	once sync.Once
	free func()
}

// Close implements [net.Conn].
func (c *limitedConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(c.free)
	return err
}

// CloseWrite lets net/http end an answer before the request is read.
func (c *limitedConn) CloseWrite() error { return closeWrite(c.Conn) }

// closeWrite ends the writing side of c, where it has two.
func closeWrite(c net.Conn) error {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
