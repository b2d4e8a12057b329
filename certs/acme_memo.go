package certs

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
)

// memoLife is for how long it is known whether there is a challenge: strangers
// may ask as often as they like, and no CA asks so soon after a challenge begins.
const memoLife = 100 * time.Millisecond

// challengeMemo is a storage that looks for the challenges of a domain, which
// anybody on the network can have it do, at most ten times a second.
type challengeMemo struct {
	certmagic.Storage

	mu   sync.Mutex
	seen map[string]remembered // by key; there are no more than domains
}

type remembered struct {
	at   time.Time
	data []byte
	err  error
}

func isChallenge(key string) bool { return strings.Contains(key, "/challenge_tokens/") }

// Load implements certmagic.Storage.
func (m *challengeMemo) Load(ctx context.Context, key string) ([]byte, error) {
	if !isChallenge(key) {
		return m.Storage.Load(ctx, key)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if r, ok := m.seen[key]; ok && time.Since(r.at) < memoLife {
		return r.data, r.err
	}
	data, err := m.Storage.Load(ctx, key)
	if m.seen == nil {
		m.seen = map[string]remembered{}
	}
	m.seen[key] = remembered{at: time.Now(), data: data, err: err}
	return data, err
}

// Store implements certmagic.Storage.
func (m *challengeMemo) Store(ctx context.Context, key string, value []byte) error {
	err := m.Storage.Store(ctx, key, value)
	m.forget(key)
	return err
}

// Delete implements certmagic.Storage.
func (m *challengeMemo) Delete(ctx context.Context, key string) error {
	err := m.Storage.Delete(ctx, key)
	m.forget(key)
	return err
}

func (m *challengeMemo) forget(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.seen, key)
}

// TryLock implements certmagic.TryLocker where the storage does.
func (m *challengeMemo) TryLock(ctx context.Context, name string) (bool, error) {
	if l, ok := m.Storage.(certmagic.TryLocker); ok {
		return l.TryLock(ctx, name)
	}
	return true, m.Lock(ctx, name)
}
