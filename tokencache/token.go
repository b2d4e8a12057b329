package tokencache

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"iqgateway/internal/secret"
)

// token is one access token. Within the process its identity is its address;
// replicas tell tokens apart by their generation in the Store.
type token struct {
	field   secret.Text // the whole Authorization field
	refresh secret.Text // kept for GrantRefreshToken only
	key     StoreKey    // of the settings that it was granted for
	serial  uint64      // number in its credential and process, from 1
	account string      // whom it was granted to, see Set.Account
	holder  string      // the replica that fetched it
	life    life

	shared   atomic.Uint64 // generation in the Store; 0 = this process alone has it
	accepted atomic.Bool   // an upstream has taken it
	told     atomic.Uint64 // the generation whose acceptance the Store knows of, or is being told; 0 = none
}

// usable reports whether an upstream can be expected to accept t at now.
func (t *token) usable(now time.Time) bool {
	return t != nil && t.life.left(now) > t.life.leeway
}

// generation is the number that operators see: the fleet's, or this process's
// own while t is not shared.
func (t *token) generation() uint64 {
	if t == nil {
		return 0
	}
	if g := t.shared.Load(); g != 0 {
		return g
	}
	return t.serial
}

func (t *token) toShare() SharedToken {
	return SharedToken{
		Field: t.field, Refresh: t.refresh,
		Issued: t.life.issued, Expires: t.life.expires, Holder: t.holder,
	}
}

// sound reports whether t can be written into a header at all. A store that
// many write to may hold anything.
func (t SharedToken) sound() bool {
	text, bearer := strings.CutPrefix(t.Field.Reveal(), "Bearer ")
	return bearer && isToken(text) && len(text) <= maxAnswer && t.Issued.Before(t.Expires)
}

// ticket authorizes one attempt. Between the token stage and the attempt a
// request may wait for quota, for minutes: what is written is the newest valid
// token at the moment of writing.
type ticket struct {
	entry *entry
	held  *token
	wrote atomic.Pointer[token] // nil = none
}

// Authorize implements [iqgateway/internal/exchange.Authorizer]. It writes no
// field rather than an expired token; the upstream's 401 then leads to a
// replacement.
func (t *ticket) Authorize(h http.Header) {
	use, now := t.held, time.Now()
	if current := t.entry.current.Load(); current.usable(now) {
		use = current
	}
	if !use.usable(now) {
		h.Del("Authorization")
		t.wrote.Store(nil)
		return
	}
	h["Authorization"] = []string{use.field.Reveal()}
	t.wrote.Store(use)
}

// answered notes what the upstream's answer says of the token.
func (t *ticket) answered(ctx context.Context, status int) {
	if wrote := t.wrote.Load(); wrote != nil && !wrote.accepted.Load() && accepts(status) {
		t.entry.accept(ctx, wrote)
	}
}

// accepts: whatever a service answers but 401, it has taken the token. What a
// gateway before the service answers by itself says nothing.
func accepts(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusRequestTimeout, http.StatusTooManyRequests,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return false
	}
	return true
}
