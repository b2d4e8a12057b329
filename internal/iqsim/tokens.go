package iqsim

import (
	crand "crypto/rand"
	"encoding/base64"
	"io"
	"maps"
	"math/rand/v2"
	"sync"
	"time"
)

// token is one access token; its fields are guarded by tokens.mu.
type token struct {
	serial   int
	text     string
	refresh  string // the text of the refresh token that came with it
	account  string
	clientID string
	expires  time.Time
	revoked  bool
}

// refreshToken outlives the access token that it came with.
type refreshToken struct {
	access  *token
	expires time.Time
}

// refreshLifetime of refresh tokens. The provider documents seven days.
const refreshLifetime = 7 * 24 * time.Hour

// tokens holds the tokens of one environment: a token of one is unknown in
// every other. It is safe for concurrent use.
type tokens struct {
	mu        sync.RWMutex
	random    io.Reader
	serial    int
	byText    map[string]*token
	byRefresh map[string]refreshToken
	sweepAt   int // how many of either are reason to look for expired ones
}

func newTokens(random io.Reader) *tokens {
	return &tokens{
		random: random, byText: map[string]*token{}, byRefresh: map[string]refreshToken{}, sweepAt: sweepTokensAt,
	}
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
	t.byText[k.text], t.byRefresh[k.refresh] = k, refreshToken{k, now.Add(refreshLifetime)}
	return *k
}

func (t *tokens) text() string {
	raw := make([]byte, tokenBytes)
	if _, err := io.ReadFull(t.random, raw); err != nil {
		panic("iqsim: no randomness: " + err.Error())
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

// sweepTokensAt is from how many tokens on expired ones are dropped.
const sweepTokensAt = 10_000

// sweep drops what has expired, access and refresh tokens each in their time.
// The next one waits until there are twice as many as stayed, so that a store
// full of live tokens is not searched with every new one.
func (t *tokens) sweep(now time.Time) {
	if max(len(t.byText), len(t.byRefresh)) < t.sweepAt {
		return
	}
	maps.DeleteFunc(t.byText, func(_ string, k *token) bool { return !now.Before(k.expires) })
	maps.DeleteFunc(t.byRefresh, func(_ string, r refreshToken) bool { return !now.Before(r.expires) })
	t.sweepAt = max(sweepTokensAt, 2*max(len(t.byText), len(t.byRefresh)))
}

// exchange takes a refresh token of a client out of circulation and revokes
// the access token that it came with. It reports whether the refresh token
// was good at now.
func (t *tokens) exchange(refresh, clientID string, now time.Time) (account string, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r, ok := t.byRefresh[refresh]
	if !ok || r.access.clientID != clientID || !now.Before(r.expires) {
		return "", false
	}
	r.access.revoked = true
	delete(t.byRefresh, refresh)
	return r.access.account, true
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
