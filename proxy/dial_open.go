package proxy

import (
	"net"
	"net/netip"
	"slices"
	"sync"
)

// openConns are the connections of one carrier that stand, and where each leads.
type openConns struct {
	mu    sync.Mutex
	conns map[*countedConn]netip.Addr
}

// add keeps c until it is closed.
func (o *openConns) add(c *countedConn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.conns == nil {
		o.conns = make(map[*countedConn]netip.Addr)
	}
	var leads netip.Addr
	if tcp, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		leads = tcp.AddrPort().Addr().Unmap().WithZone("")
	}
	o.conns[c] = leads
	c.closed = func() { o.remove(c) }
}

func (o *openConns) remove(c *countedConn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.conns, c)
}

func (o *openConns) len() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.conns)
}

// strayFrom reports whether a connection leads to none of these addresses.
func (o *openConns) strayFrom(addresses []netip.Addr) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, leads := range o.conns {
		if leads.IsValid() && !slices.Contains(addresses, leads) {
			return true
		}
	}
	return false
}
