package proxy

import (
	"context"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"iqgateway/internal/exchange"
)

// carrier is one http.Transport, with the connections that it has.
type carrier struct {
	*http.Transport
	way  *egress
	made *trusted // what its first connection trusts
}

// line is the way of one credential's requests: a carrier, and in time another,
// when the connections of the first lead where they should not any more.
//
// It tells each connection whose answer is to come next: what an HTTP/1
// connection delivers without that belongs to nobody. It sends nothing twice.
type line struct {
	make    func() (*carrier, error)
	current atomic.Pointer[carrier]

	mu   sync.Mutex
	left []*carrier // taken out of use, with connections that still serve
}

func newLine(newCarrier func() (*carrier, error)) (*line, error) {
	first, err := newCarrier()
	if err != nil {
		return nil, err
	}
	l := &line{make: newCarrier}
	l.current.Store(first)
	return l, nil
}

// RoundTrip implements [http.RoundTripper].
func (l *line) RoundTrip(r *http.Request) (*http.Response, error) {
	transport := l.current.Load().Transport
	asks := claim{transport: transport, method: r.Method, write: r.Body != nil || !isSafe(r.Method)}
	asks.careful = asks.write || isLastHope(r.Context())
	asks.trace.GotConn = asks.gotConn
	res, err := transport.RoundTrip(r.WithContext(httptrace.WithClientTrace(r.Context(), &asks.trace)))
	if err != nil && asks.conn != nil {
		if end := asks.conn.silence(); end != nil {
			return nil, end
		}
	}
	return res, err
}

// renew has new requests go out on new connections. Those under way end where
// they are, and then their connections too.
func (l *line) renew() error {
	next, err := l.make()
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	old := l.current.Swap(next)
	l.left = append(l.left, old)
	old.CloseIdleConnections()
	return nil
}

// tend ends connections of earlier carriers whose requests have ended.
func (l *line) tend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, old := range l.left {
		old.CloseIdleConnections()
	}
	l.left = slices.DeleteFunc(l.left, func(old *carrier) bool { return old.way.open.len() == 0 })
}

// close ends idle connections.
func (l *line) close() {
	l.tend()
	l.current.Load().CloseIdleConnections()
}

// inUse reports whether new requests may meet a connection that stands.
func (l *line) inUse() bool { return l.current.Load().way.open.len() > 0 }

// isOutdated reports whether requests may meet a connection that was made with
// another trust than new ones are.
func (l *line) isOutdated() bool {
	c := l.current.Load()
	return c.made != c.way.trust.current.Load()
}

// compare takes what the name of the upstream now means, and reports whether it
// is time to renew: the name has lost the address of a connection.
func (l *line) compare(answers []netip.Addr) bool { return l.current.Load().way.open.look(answers) }

// claim is what one request asks of the connections that it gets.
type claim struct {
	trace     httptrace.ClientTrace // here, and not an allocation of its own
	transport *http.Transport
	method    string
	write     bool
	careful   bool       // not on a connection that may be about to end
	conn      *http1Conn // the last one; nil with HTTP/2
}

// graceOfReads is how long a connection may have been idle, whatever its upstream
// does, for a read that must not be lost. Much shorter, and an upstream that drops
// busy connections now and then would get a handshake for each repetition.
const graceOfReads = time.Second

func (c *claim) gotConn(info httptrace.GotConnInfo) {
	c.conn, _ = info.Conn.(*http1Conn)
	if c.conn == nil {
		return
	}
	c.conn.claim(c.method)
	grace := graceOfReads
	if c.write {
		grace = 0
	}
	if c.careful && c.conn.distrust(grace) {
		c.transport.CloseIdleConnections() // all others were idle for longer
	}
}

// isLastHope reports whether much depends on an attempt, though it may be lost
// without harm: a repetition, for which the budget may have no other, or the probe
// of a breaker. It does not meet a second connection of a pool that is dead.
func isLastHope(ctx context.Context) bool {
	ex := exchange.From(ctx)
	return ex.Retries > 0 || ex.Breaker != "" && ex.Breaker != exchange.BreakerClosed
}
