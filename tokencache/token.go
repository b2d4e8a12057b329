package tokencache

import (
	"net/http"
	"sync/atomic"
	"time"

	"iqgateway/internal/secret"
)

// token is one access token, immutable.
type token struct {
	field      secret.Text // the whole Authorization field
	refresh    secret.Text // kept for GrantRefreshToken only
	generation uint64      // serial in its credential, from 1
	life       life
}

// usable reports whether an upstream can be expected to accept t at now.
func (t *token) usable(now time.Time) bool {
	return t != nil && t.life.left(now) > t.life.leeway
}

// ticket authorizes one attempt. Between the token stage and the attempt a
// request may wait for quota, for minutes: what is written is the newest valid
// token at the moment of writing.
type ticket struct {
	entry *entry
	held  *token
	wrote atomic.Uint64 // generation that was written; 0 = none
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
		t.wrote.Store(0)
		return
	}
	h["Authorization"] = []string{use.field.Reveal()}
	t.wrote.Store(use.generation)
}
