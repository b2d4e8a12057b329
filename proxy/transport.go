package proxy

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
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
		if p.settings == settings {
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
	byCredential map[string]*line
	neighbours   []*Pool // see beside; last used last
	closed       bool
}

func newPool(owner *Transports, key PoolKey, settings TransportSettings) (*Pool, error) {
	origin, err := url.Parse(key.Origin)
	if err != nil || origin.Host == "" || origin.Scheme != "http" && origin.Scheme != "https" {
		return nil, fmt.Errorf("%q is no http or https URL with a host", key.Origin)
	}
	if err := settings.check(origin); err != nil {
		return nil, err
	}
	p := &Pool{owner: owner, key: key, origin: origin, settings: settings, users: 1}
	first, err := newLine(p.newCarrier)
	if err != nil {
		return nil, err
	}
	p.byCredential = map[string]*line{"": first}
	return p, nil
}

func (p *Pool) newCarrier() (*carrier, error) { return p.settings.newCarrier(p.origin) }

// For returns the transport of one credential; "" is that of anonymous calls.
func (p *Pool) For(credential string) (http.RoundTripper, error) {
	p.mu.RLock()
	found := p.byCredential[credential]
	p.mu.RUnlock()
	if found != nil {
		return found, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if found = p.byCredential[credential]; found != nil {
		return found, nil
	}
	made, err := newLine(p.newCarrier)
	if err != nil {
		return nil, err
	}
	p.byCredential[credential] = made
	return made, nil
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
	for _, l := range p.byCredential {
		l.close()
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
