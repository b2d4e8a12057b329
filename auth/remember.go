package auth

import (
	"crypto/sha256"
	"sync"
)

// remembered keeps what was found out about texts that cost a signature to
// judge, by their digest: at most so many. Only what was found good belongs in
// it, so that whoever has no signed text can fill nothing. What ends by time or
// by a reload is for the reader to check, each time.
//
// The zero value keeps nothing.
type remembered[V any] struct {
	most int

	mu    sync.RWMutex
	found map[Digest]V
}

func newRemembered[V any](most int) *remembered[V] {
	return &remembered[V]{most: most, found: make(map[Digest]V)}
}

// get returns what is known of a text.
func (m *remembered[V]) get(digest Digest) (V, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	v, ok := m.found[digest]
	return v, ok
}

// put keeps v in place of any other when there is no room.
func (m *remembered[V]) put(digest Digest, v V) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.most == 0 {
		return
	}
	if _, known := m.found[digest]; !known && len(m.found) >= m.most {
		for other := range m.found {
			delete(m.found, other)
			break
		}
	}
	m.found[digest] = v
}

// forget drops everything.
func (m *remembered[V]) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.found)
}

// digestOfToken is [DigestOf] for texts of a token's length.
func digestOfToken(token string) Digest {
	var buffer [1024]byte
	return sha256.Sum256(append(buffer[:0], token...))
}
