package auth

import (
	"bytes"
	"context"
	"encoding/base64"
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
type ownToken struct{ token secret.Text }

// Authorize implements [exchange.Authorizer].
func (o *ownToken) Authorize(h http.Header) {
	h["Authorization"] = []string{"Bearer " + o.token.Reveal()}
}

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
// and looks like nothing that is meant for this gateway. A key that was removed
// from the configuration is told from such a token by its prefix alone, so that
// one of another maker has to be withdrawn by its date of expiry. The caller is
// nil where this is no such request.
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
	return caller, &ownToken{secret.New(token.key)}
}

// isOwnToken reports whether a bearer text may be a token of the upstream's
// (RFC 6750 section 2.1, and whatever else is visible).
func isOwnToken(text string) bool {
	if len(text) > maxOwnToken || strings.HasPrefix(text, keyPrefix) || hasJOSEHeader(text) {
		return false
	}
	return !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' || r == ',' })
}

// hasJOSEHeader reports whether a text is a JWT of whatever kind, or the
// beginning of one (RFC 7519 section 7.2). The provider's tokens are opaque: a
// JWT is ours, or of an issuer that vouches for callers, or did so once.
func hasJOSEHeader(text string) bool {
	header, _, dotted := strings.Cut(text, ".")
	if !dotted {
		return false
	}
	object, err := base64.RawURLEncoding.DecodeString(header)
	return err == nil && bytes.HasPrefix(bytes.TrimSpace(object), []byte("{"))
}
