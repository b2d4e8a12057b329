package proxy

import (
	"net"
	"net/netip"
	"slices"
	"sync"
)

// openConns are the connections of one carrier that stand, and where each leads.
type openConns struct {
	mu     sync.Mutex
	conns  map[*countedConn]netip.Addr
	missed map[netip.Addr]int // at how many looks in a row their name did not have it
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
	delete(o.missed, leads) // the name has just been said to have it
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

// look takes the addresses that the name of the connections now has, and reports
// whether it has lost that of one. A name may give its many addresses in turn:
// lost is what it did not have at looksToMiss looks in a row.
func (o *openConns) look(addresses []netip.Addr) (lost bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	missed := make(map[netip.Addr]int)
	for _, leads := range o.conns {
		if leads.IsValid() && !slices.Contains(addresses, leads) {
			missed[leads] = o.missed[leads] + 1
			lost = lost || missed[leads] >= looksToMiss
		}
	}
	o.missed = missed
	return lost
}
