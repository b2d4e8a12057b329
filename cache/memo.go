package cache

import (
	"sync"
	"time"
)

// memo remembers keys for a while; it forgets all of them rather than grow
// beyond its bound.
type memo struct {
	most int

	mu    *sync.Mutex
	until map[flightKey]time.Time
}

func newMemo(most int) memo {
	return memo{most: most, mu: new(sync.Mutex), until: map[flightKey]time.Time{}}
}

func (m *memo) set(k flightKey, until time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, known := m.until[k]; !known && len(m.until) >= m.most {
		clear(m.until)
	}
	m.until[k] = until
}

func (m *memo) forget(k flightKey) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.until, k)
}

func (m *memo) has(k flightKey, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	until, ok := m.until[k]
	if ok && !now.Before(until) {
		delete(m.until, k)
		ok = false
	}
	return ok
}
