package proxy

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"time"

	"iqgateway/internal/exchange"
)

// PoolKey says whose connections a pool holds.
type PoolKey struct {
	Environment string
	Origin      string // scheme://host or scheme://host:port
}

// Transports keeps connection pools across reloads: a generation opens what it
// needs, and gets the pool of its predecessor when key and settings are
// unchanged. Safe for concurrent use.
type Transports struct {
	mu    sync.Mutex
	pools map[PoolKey][]*Pool // several while generations with different settings overlap
}

// NewTransports returns an empty set of pools.
func NewTransports() *Transports {
	return &Transports{pools: make(map[PoolKey][]*Pool)}
}

// Open returns the pool for key and settings, which the generation must Close
// when its last request has ended. It connects to nothing; settings that can
// not work (a certificate that does not parse) are an error.
func (t *Transports) Open(key PoolKey, settings TransportSettings) (*Pool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range t.pools[key] {
		if p.settings.equal(settings) {
			p.users++
			return p, nil
		}
	}
	p, err := newPool(t, key, settings)
	if err != nil {
		return nil, fmt.Errorf("environment %s, upstream %s: %w", key.Environment, key.Origin, err)
	}
	t.pools[key] = append(t.pools[key], p)
	return p, nil
}

// release gives up one use of p and reports whether it was the last.
func (t *Transports) release(p *Pool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p.users--; p.users > 0 {
		return false
	}
	kept := t.pools[p.key][:0]
	for _, q := range t.pools[p.key] {
		if q != p {
			kept = append(kept, q)
		}
	}
	if t.pools[p.key] = kept; len(kept) == 0 {
		delete(t.pools, p.key)
	}
	return true
}

// Pool holds the connections to one upstream host. Each credential has its own:
// servers have been seen to tie an identity to a connection.
type Pool struct {
	owner    *Transports
	key      PoolKey
	origin   *url.URL
	settings TransportSettings
	users    int // guarded by owner.mu

	mu           sync.RWMutex
	byCredential map[string]*http.Transport
	neighbours   []*Pool // see beside; last used last
	closed       bool
}

func newPool(owner *Transports, key PoolKey, settings TransportSettings) (*Pool, error) {
	origin, err := url.Parse(key.Origin)
	if err != nil || origin.Host == "" || origin.Scheme != "http" && origin.Scheme != "https" {
		return nil, fmt.Errorf("%q is no http or https URL with a host", key.Origin)
	}
	p := &Pool{owner: owner, key: key, origin: origin, settings: settings, users: 1}
	first, err := settings.newTransport(origin)
	if err != nil {
		return nil, err
	}
	p.byCredential = map[string]*http.Transport{"": first}
	return p, nil
}

// For returns the transport of one credential; "" is that of anonymous calls.
func (p *Pool) For(credential string) (http.RoundTripper, error) {
	p.mu.RLock()
	found := p.byCredential[credential]
	p.mu.RUnlock()
	if found != nil {
		return claiming{found}, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if found = p.byCredential[credential]; found != nil {
		return claiming{found}, nil
	}
	made, err := p.settings.newTransport(p.origin)
	if err != nil {
		return nil, err
	}
	p.byCredential[credential] = made
	return claiming{made}, nil
}

// claiming tells each connection whose answer is to come next: what an HTTP/1
// connection delivers without that belongs to nobody. It sends nothing twice.
type claiming struct{ *http.Transport }

// RoundTrip implements [http.RoundTripper].
func (c claiming) RoundTrip(r *http.Request) (*http.Response, error) {
	asks := claim{transport: c.Transport, method: r.Method, write: r.Body != nil || !isSafe(r.Method)}
	asks.careful = asks.write || isLastHope(r.Context())
	asks.trace.GotConn = asks.gotConn
	res, err := c.Transport.RoundTrip(r.WithContext(httptrace.WithClientTrace(r.Context(), &asks.trace)))
	if err != nil && asks.conn != nil {
		if end := asks.conn.silence(); end != nil {
			return nil, end
		}
	}
	return res, err
}

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

// Close gives up one Open. After the last one idle connections end; requests
// under way are not disturbed.
func (p *Pool) Close() {
	if !p.owner.release(p) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, t := range p.byCredential {
		t.CloseIdleConnections()
	}
	for _, n := range p.neighbours {
		n.Close()
	}
	p.neighbours = nil
}

// plainProxied reports whether requests go in absolute form to an egress
// proxy: only for http:// upstreams, https:// ones are tunnelled.
func (p *Pool) plainProxied() bool {
	return p.origin.Scheme == "http" && strings.HasPrefix(p.settings.ProxyURL, "http")
}
