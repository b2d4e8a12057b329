package auth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"iqgateway/internal/exchange"
	"iqgateway/internal/secret"
)

// gatewayTokenHeader begins every gateway token: the one header that they have,
// {"alg":"HS256","typ":"iqgw+jwt"}. It tells them apart from other JWTs without
// reading either, and leaves no algorithm to choose.
const gatewayTokenHeader = "eyJhbGciOiJIUzI1NiIsInR5cCI6ImlxZ3crand0In0."

// isGatewayToken reports whether a text is, or pretends to be, of this gateway.
func isGatewayToken(text string) bool { return strings.HasPrefix(text, gatewayTokenHeader) }

const (
	gatewayTokenType = "iqgw+jwt"
	issuer           = "iqgateway"

	// maxGatewayToken bounds what is looked at, in bytes.
	maxGatewayToken = 4 << 10
	// maxKnownTokens is how many tokens are not verified again, each some 200
	// bytes.
	maxKnownTokens = 4096
	// signingKeySize is that of the configuration, and all that HS256 can use.
	signingKeySize = 32
)

// What a gateway token is good for.
const (
	useAccess  = "access"
	useRefresh = "refresh"
)

// GatewayTokensOptions are the settings of [NewGatewayTokens].
type GatewayTokensOptions struct {
	// SigningKey of 32 bytes, the same on every replica. Required. Danger:
	// whoever has it can be any caller.
	SigningKey secret.Text
	// PreviousKeys sign nothing any more; tokens that they have signed are good.
	PreviousKeys []secret.Text
	// TTL of a token that is used for calls; 0 = 1 h. None outlives its key.
	TTL time.Duration
	// RefreshTTL of a token that only gets others; 0 = 30 days.
	RefreshTTL time.Duration
	// Callers that exist.
	Callers []Caller
}

// GatewayTokens makes and accepts the tokens that callers get for their keys.
// They are stateless: signed, naming caller and key, and bound to the key's
// digest. Each is checked against the callers given here, so that it ends with
// its key. It is safe for concurrent use.
type GatewayTokens struct {
	options GatewayTokensOptions
	signer  jose.Signer
	signing []secret.Text // the one that signs, then the previous ones
	keys    *keyring
	names   map[string]bool // of callers
	grants  map[grantID]*grant
	known   *remembered[*gatewayToken]
}

// grantID names a key of a caller.
type grantID struct{ caller, key string }

// grant is what tokens for one key give.
type grant struct {
	id      grantID
	bound   []string  // by signing key
	expires time.Time // of the key
	caller  *exchange.Caller
	holder  *exchange.Caller // who shows the key itself
}

// gatewayToken is what a token says, once its signature is verified.
type gatewayToken struct {
	Issuer  string `json:"iss"`
	Caller  string `json:"sub"`
	Key     string `json:"key"`
	Bound   string `json:"bound"` // to the key's digest
	Use     string `json:"use"`
	Issued  int64  `json:"iat"` // Unix seconds
	Expires int64  `json:"exp"` // Unix seconds; the first at which it is worth nothing
	ID      string `json:"jti"`

	signed int // by which signing key
}

// NewGatewayTokens returns the tokens for o.Callers.
func NewGatewayTokens(o GatewayTokensOptions) (*GatewayTokens, error) {
	signing := append([]secret.Text{o.SigningKey}, o.PreviousKeys...)
	for _, key := range signing {
		if n := len(key.Reveal()); n != signingKeySize {
			return nil, fmt.Errorf("a signing key of gateway tokens has %d bytes, want %d", n, signingKeySize)
		}
	}
	if o.TTL <= 0 {
		o.TTL = time.Hour
	}
	if o.RefreshTTL <= 0 {
		o.RefreshTTL = 30 * 24 * time.Hour
	}
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.HS256, Key: []byte(o.SigningKey.Reveal())}, (&jose.SignerOptions{}).WithType(gatewayTokenType))
	if err != nil {
		return nil, fmt.Errorf("the signing key of gateway tokens: %w", err)
	}
	t := &GatewayTokens{
		options: o, signer: signer, signing: signing, keys: newKeyring(o.Callers), names: namesOfCallers(o.Callers), grants: make(map[grantID]*grant),
		known: newRemembered[*gatewayToken](maxKnownTokens),
	}
	for _, c := range o.Callers {
		for _, k := range c.Keys {
			id := grantID{c.Name, k.ID}
			t.grants[id] = &grant{
				id: id, bound: t.bind(k.Digest), expires: k.Expires,
				caller: c.identity(ProofToken, k.ID), holder: c.identity(ProofKey, k.ID),
			}
		}
	}
	return t, nil
}

// bind returns what ties a token to a key without telling the key's digest: a
// key that is replaced under the same id ends the tokens of the old one. There is
// one text for each signing key.
func (t *GatewayTokens) bind(digest Digest) []string {
	bound := make([]string, len(t.signing))
	for i, key := range t.signing {
		mac := hmac.New(sha256.New, []byte(key.Reveal()))
		mac.Write([]byte("key of a gateway token\x00")) // no JWT begins so
		mac.Write(digest[:])
		const enough = 16 // bytes
		bound[i] = base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:enough])
	}
	return bound
}

// issue makes a token for a key, and says for how long.
func (t *GatewayTokens) issue(g *grant, use string, now time.Time) (token string, lifetime time.Duration, err error) {
	lifetime = t.options.TTL
	if use == useRefresh {
		lifetime = t.options.RefreshTTL
	}
	if !g.expires.IsZero() {
		lifetime = min(lifetime, g.expires.Sub(now))
	}
	lifetime = lifetime.Truncate(time.Second)
	payload, err := json.Marshal(gatewayToken{
		Issuer: issuer, Caller: g.id.caller, Key: g.id.key, Bound: g.bound[0], Use: use,
		Issued: now.Unix(), Expires: now.Add(lifetime).Unix(), ID: rand.Text(),
	})
	if err != nil {
		return "", 0, fmt.Errorf("gateway token: %w", err)
	}
	signed, err := t.signer.Sign(payload)
	if err != nil {
		return "", 0, fmt.Errorf("gateway token: %w", err)
	}
	token, err = signed.CompactSerialize()
	return token, lifetime, err
}

// accepts implements [method].
func (t *GatewayTokens) accepts(p presented) bool { return p.bearer && isGatewayToken(p.key) }

// find implements [method].
func (t *GatewayTokens) find(_ context.Context, p presented, now time.Time) (*exchange.Caller, Reason) {
	g, reason := t.check(p.key, useAccess, now)
	if reason != "" {
		return nil, reason
	}
	return g.caller, ""
}

// check verifies a token and returns the key that it stands for, which must be
// one of today's.
func (t *GatewayTokens) check(text, use string, now time.Time) (*grant, Reason) {
	token, err := t.verify(text)
	if err != nil || token.Use != use {
		return nil, ReasonUnknown
	}
	g := t.grants[grantID{token.Caller, token.Key}]
	switch {
	case g == nil || !hmac.Equal([]byte(g.bound[token.signed]), []byte(token.Bound)):
		return nil, ReasonUnknown
	case now.Unix() >= token.Expires, !g.expires.IsZero() && !now.Before(g.expires):
		return nil, ReasonExpired
	}
	return g, ""
}

var errGatewayToken = errors.New("no gateway token")

// verify reads a token whose signature is good, from memory if it was seen
// before.
func (t *GatewayTokens) verify(text string) (*gatewayToken, error) {
	if len(text) > maxGatewayToken || !isGatewayToken(text) {
		return nil, errGatewayToken
	}
	digest := digestOfToken(text)
	if token, ok := t.known.get(digest); ok {
		return token, nil
	}
	signed, err := jose.ParseSignedCompact(text, []jose.SignatureAlgorithm{jose.HS256})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errGatewayToken, err)
	}
	var payload []byte
	token := new(gatewayToken)
	for i, key := range t.signing {
		if payload, err = signed.Verify([]byte(key.Reveal())); err == nil {
			token.signed = i
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errGatewayToken, err)
	}
	if err := json.Unmarshal(payload, token); err != nil || token.Issuer != issuer {
		return nil, errGatewayToken
	}
	t.known.put(digest, token)
	return token, nil
}
