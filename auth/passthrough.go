package auth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"iqgateway/internal/exchange"
	"iqgateway/internal/secret"
)

// Passthrough is the credential of access with a token that the caller brings
// itself: Authorization: Bearer TOKEN, beside what proves the caller.
const Passthrough = "passthrough"

// maxOwnToken bounds a caller's own token, in bytes. The provider's have some
// hundred.
const maxOwnToken = 4 << 10

// ownToken is the upstream token of a caller.
type ownToken struct {
	token   secret.Text
	account string
}

func newOwnToken(caller, token string) *ownToken {
	sum := sha256.Sum256([]byte("own token\x00" + caller + "\x00" + token))
	return &ownToken{token: secret.New(token), account: "own-" + hex.EncodeToString(sum[:8])}
}

// Authorize implements [exchange.Authorizer].
func (o *ownToken) Authorize(h http.Header) {
	h["Authorization"] = []string{"Bearer " + o.token.Reveal()}
}

// Account implements what [exchange.AccountOf] asks for: what the upstream
// remembers of one token never meets another.
func (o *ownToken) Account() string { return o.account }

// Format implements [fmt.Formatter], so that no verb shows the token.
func (o *ownToken) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(secret.Mask)) }

// LogValue implements [slog.LogValuer].
func (o *ownToken) LogValue() slog.Value { return slog.StringValue(secret.Mask) }

// MarshalText implements [encoding.TextMarshaler], and with it JSON and YAML.
func (o *ownToken) MarshalText() ([]byte, error) { return []byte(secret.Mask), nil }

// passthroughs are the callers that may bring a token of their own, now or
// formerly: the policy says until when.
type passthroughs map[string]bool

func newPassthroughs(callers []Caller) passthroughs {
	found := passthroughs{}
	for _, c := range callers {
		for _, a := range c.Access {
			if a.Credential == Passthrough {
				found[c.Name] = true
			}
		}
	}
	return found
}

// accepts takes two credentials apart of which only one proves a caller: the
// other one is a token for the upstream if it stands where that would expect it,
// and is nothing that this gateway has ever made. A key that was mistyped or
// withdrawn must not be shown to the upstream. The caller is nil where this is
// no such request.
func (p passthroughs) accepts(ctx context.Context, known methods, all []presented, now time.Time) (*exchange.Caller, *ownToken) {
	if len(p) == 0 || len(all) != 2 {
		return nil, nil
	}
	proof, token := all[0], all[1]
	if token.place != placeAuthorization {
		proof, token = token, proof
	}
	if !token.bearer || token.place != placeAuthorization || proof.place == placeAuthorization || !isOwnToken(token.key) || known.reserved(token) {
		return nil, nil
	}
	if _, reason := known.find(ctx, token, now); reason != ReasonUnknown {
		return nil, nil
	}
	caller, reason := known.find(ctx, proof, now)
	if reason != "" || !p[caller.Name] {
		return nil, nil
	}
	return caller, newOwnToken(caller.Name, token.key)
}

// isOwnToken reports whether a bearer text may be a token of the upstream's
// (RFC 6750 section 2.1, and whatever else is visible).
func isOwnToken(text string) bool {
	if len(text) > maxOwnToken || strings.HasPrefix(text, keyPrefix) || isGatewayToken(text) {
		return false
	}
	return !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' || r == ',' })
}
