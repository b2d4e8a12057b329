package iqsim

import (
	crand "crypto/rand"
	"encoding/base64"
	"io"
	"math/rand/v2"
	"sync"
	"time"
)

// token is one access token; its fields are guarded by tokens.mu.
type token struct {
	serial   int
	text     string
	refresh  string
	account  string
	clientID string
	expires  time.Time
	revoked  bool
}

// tokens holds the tokens of one environment: a token of one is unknown in
// every other. It is safe for concurrent use.
type tokens struct {
	mu        sync.RWMutex
	random    io.Reader
	serial    int
	byText    map[string]*token
	byRefresh map[string]*token
}

func newTokens(random io.Reader) *tokens {
	return &tokens{random: random, byText: map[string]*token{}, byRefresh: map[string]*token{}}
}

// tokenBytes makes tokens of 100 characters, as the provider's are.
const tokenBytes = 75

// randomSource returns the system's randomness, or a repeatable one.
func randomSource(seed uint64, environment string) io.Reader {
	if seed == 0 {
		return crand.Reader
	}
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	copy(key[8:], environment)
	return rand.NewChaCha8(key)
}

// issue makes a token. Earlier ones of the same user stay valid.
func (t *tokens) issue(account, clientID string, now time.Time, lifetime time.Duration) token {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sweep(now)
	t.serial++
	k := &token{
		serial: t.serial, text: t.text(), refresh: t.text(),
		account: account, clientID: clientID, expires: now.Add(lifetime),
	}
	t.byText[k.text], t.byRefresh[k.refresh] = k, k
	return *k
}

func (t *tokens) text() string {
	raw := make([]byte, tokenBytes)
	if _, err := io.ReadFull(t.random, raw); err != nil {
		panic("iqsim: no randomness: " + err.Error())
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

// sweepTokensAt bounds the store: above it expired tokens are dropped.
const sweepTokensAt = 10_000

func (t *tokens) sweep(now time.Time) {
	if len(t.byText) < sweepTokensAt {
		return
	}
	for text, k := range t.byText {
		if !now.Before(k.expires) {
			delete(t.byText, text)
			delete(t.byRefresh, k.refresh)
		}
	}
}

// exchange takes a refresh token of a client out of circulation and revokes
// the access token that it came with. It reports whether the refresh token
// was good.
func (t *tokens) exchange(refresh, clientID string) (account string, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := t.byRefresh[refresh]
	if k == nil || k.clientID != clientID {
		return "", false
	}
	k.revoked = true
	delete(t.byRefresh, refresh)
	return k.account, true
}

// valid returns the token with this text when it may be used at now.
func (t *tokens) valid(text string, now time.Time) (token, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	k := t.byText[text]
	if k == nil {
		return token{}, false
	}
	return *k, !k.revoked && now.Before(k.expires)
}

// revoke ends the live tokens that chosen selects and returns their number.
func (t *tokens) revoke(chosen func(token) bool) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for _, k := range t.byText {
		if !k.revoked && chosen(*k) {
			k.revoked = true
			n++
		}
	}
	return n
}

// live counts the tokens that may be used at now.
func (t *tokens) live(now time.Time) int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	n := 0
	for _, k := range t.byText {
		if !k.revoked && now.Before(k.expires) {
			n++
		}
	}
	return n
}
