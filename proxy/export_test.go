package proxy

import (
	"fmt"
	"net/url"
	"time"
)

// PublicSession is what callers see of a session document.
func PublicSession(document []byte) ([]byte, error) {
	answer, err := readSession(document)
	return answer.public, err
}

// MemoryStore is the store of the internal tests.
type MemoryStore = memoryStore

// PreferredOf returns the host in use for a session, "" for the configured one.
func (s *Sessions) PreferredOf(key SessionKey, upstream *url.URL) string {
	return originText(s.of(key, upstream).preferred())
}

// Printed is everything that a careless print of s could show.
func (s *Sessions) Printed() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := fmt.Sprintf("%v %+v", s.known, s.options.Hooks)
	if m, ok := s.options.Store.(*memoryStore); ok {
		m.set(func() { text += fmt.Sprintf("%v %+v %#v", m.known, m.known, m.known) })
	}
	for _, n := range s.known {
		n.mu.Lock()
		text += fmt.Sprintf("%v %+v %#v %+v", n.jar, n.jar, n.jar, n.export(n.now()))
		n.mu.Unlock()
	}
	return text
}

// Probing has HTTP/2 connections probed sooner than an upstream is.
func (t TransportSettings) Probing(after, timeout time.Duration) TransportSettings {
	t.probeAfter, t.probeTimeout = after, timeout
	return t
}

// Beside opens beside to the tests.
func (p *Pool) Beside(origin *url.URL) (*Pool, error) { return p.beside(origin) }

// Len returns how many pools are open.
func (t *Transports) Len() (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, pools := range t.pools {
		n += len(pools)
	}
	return n
}
