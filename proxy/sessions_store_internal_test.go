package proxy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"iqgateway/internal/secret"
)

// memoryStore is a store for tests; its calls take as long and fail as told.
type memoryStore struct {
	mu     sync.Mutex
	known  map[SessionKey]SharedSession
	at     map[SessionKey]time.Time // of the last update
	loads  int
	writes int
	err    error
	delay  time.Duration
	deaf   bool // ignores the end of contexts
	panics bool
}

func (m *memoryStore) begin(ctx context.Context) error {
	m.mu.Lock()
	delay, deaf, panics, err := m.delay, m.deaf, m.panics, m.err
	m.mu.Unlock()
	if panics {
		panic("planted")
	}
	if delay == 0 {
		return err
	}
	if deaf {
		<-time.After(delay)
		return err
	}
	select {
	case <-time.After(delay):
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Load implements SessionStore.
func (m *memoryStore) Load(ctx context.Context, key SessionKey) (SharedSession, error) {
	m.set(func() { m.loads++ })
	if err := m.begin(ctx); err != nil {
		return SharedSession{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.aged(key), nil
}

// aged returns what is known, as old as it is by now.
func (m *memoryStore) aged(key SessionKey) SharedSession {
	s := m.known[key]
	s.Endpoint.Age += time.Since(m.at[key])
	return s
}

// Update implements SessionStore.
func (m *memoryStore) Update(ctx context.Context, key SessionKey, change func(SharedSession) SharedSession) (SharedSession, error) {
	m.set(func() { m.writes++ })
	if err := m.begin(ctx); err != nil {
		return SharedSession{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil {
		m.known, m.at = make(map[SessionKey]SharedSession), make(map[SessionKey]time.Time)
	}
	m.known[key], m.at[key] = change(m.aged(key)), time.Now()
	return m.known[key], nil
}

func (m *memoryStore) set(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

func (m *memoryStore) counts() (loads, writes int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.loads, m.writes
}

// Cookies lists what the store holds.
func (m *memoryStore) Cookies() (all []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.known {
		for _, c := range s.Cookies {
			all = append(all, c.Name+"="+c.Value.Reveal())
		}
	}
	slices.Sort(all)
	return all
}

// told collects what hooks say.
type told struct {
	mu    sync.Mutex
	lines []string
}

func (l *told) add(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, fmt.Sprintf(format, args...))
}

func (l *told) count(line string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, have := range l.lines {
		if have == line {
			n++
		}
	}
	return n
}

func (l *told) hooks() SessionHooks {
	return SessionHooks{
		Opened:      func(_ SessionKey, host string) { l.add("opened %s", host) },
		Ended:       func(_ SessionKey, reason SessionDrop) { l.add("ended %s", reason) },
		Learned:     func(_ SessionKey, origin string) { l.add("learned %s", origin) },
		Refused:     func(_ SessionKey, err error) { l.add("refused %v", errors.Is(err, errEndpoint)) },
		Dropped:     func(_ SessionKey, origin string, reason SessionDrop) { l.add("dropped %s %s", origin, reason) },
		Called:      func(_ SessionKey, _ time.Duration, err error) { l.add("called %v", err == nil) },
		StoreFailed: func(_ SessionKey, operation string, _ error) { l.add("failed %s", operation) },
		Panicked:    func(_ SessionKey, value any, _ []byte) { l.add("panicked %v", value) },
	}
}

var (
	testKey      = SessionKey{Environment: "production", Service: "dataconnect", Credential: "retail"}
	testUpstream = parseURL("https://dataconnect.iqmetrix.net")
)

// replica returns the sessions of one replica over store.
func replica(t *testing.T, store SessionStore) (*Sessions, *told) {
	t.Helper()
	heard := &told{}
	s := NewSessions(SessionsOptions{Store: store, Hooks: heard.hooks(), Random: func() float64 { return 0 }})
	t.Cleanup(s.Close)
	return s, heard
}

// field is the Cookie field that the next request would carry.
func (s *Sessions) field(ctx context.Context) string {
	n := s.of(testKey, testUpstream)
	n.ready(ctx)
	field, _ := n.cookies(testUpstream, "/")
	return field
}

func (s *Sessions) answer(fields ...string) {
	s.of(testKey, testUpstream).learnCookies(testUpstream, "/", fields)
}

func sharedCookie(host, name, value string) SharedCookie {
	return SharedCookie{Host: host, Name: name, Value: secret.New(value), Path: "/"}
}
