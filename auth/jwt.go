package auth

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json" // case-sensitive, and refuses a member that comes twice
	"github.com/go-jose/go-jose/v4/jwt"

	"iqgateway/internal/exchange"
)

const (
	maxJWT    = 16 << 10         // bytes
	jwtLeeway = 30 * time.Second // for clocks that differ
	// maxJWTs is how many verified tokens are remembered.
	maxJWTs = 4096
	// maxExpiry is the end of the year 9999: what is later is no date.
	maxExpiry = 253402300799
)

// jwtAlgorithms are those that a public key verifies. A list of our own decides,
// never the token: none and the HMACs are not in it (RFC 8725 section 3.1).
func jwtAlgorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{
		jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512,
		jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
	}
}

// jwts find the caller of a JWT that a configured issuer has signed.
type jwts struct {
	issuers    map[string]*jwtIssuer
	algorithms []jose.SignatureAlgorithm
	known      *remembered[verifiedJWT]
}

type jwtIssuer struct {
	audience string
	keys     *keySet
	subjects map[string]*exchange.Caller
}

// verifiedJWT is a good token: it stays one until it expires, or its key goes.
type verifiedJWT struct {
	caller *exchange.Caller
	keys   *keySet
	key    *publicKey
	until  time.Time
}

func (v verifiedJWT) holds(now time.Time) bool {
	if !now.Before(v.until) {
		return false
	}
	table := v.keys.usable(now)
	return table != nil && table.has(v.key)
}

func newJWTs(callers []Caller, from *Issuers) *jwts {
	j := &jwts{issuers: map[string]*jwtIssuer{}, algorithms: jwtAlgorithms(), known: newRemembered[verifiedJWT](maxJWTs)}
	if from == nil {
		return j
	}
	for _, i := range from.all {
		j.issuers[i.Name] = &jwtIssuer{audience: i.Audience, keys: from.sets[i.Name], subjects: map[string]*exchange.Caller{}}
	}
	for _, caller := range callers {
		for _, s := range caller.Subjects {
			if i := j.issuers[s.Issuer]; i != nil {
				addIdentity(i.subjects, s.Subject, caller, caller.identity(ProofJWT, s.Issuer+" "+s.Subject))
			}
		}
	}
	return j
}

// accepts implements [method]: a compact JWS (RFC 7515 section 7.1) that names an
// issuer of ours. Others stay what they were, a key that nobody knows.
func (j *jwts) accepts(p presented) bool {
	if len(j.issuers) == 0 || !p.bearer || len(p.key) > maxJWT || strings.Count(p.key, ".") != 2 {
		return false
	}
	if _, known := j.known.get(digestOfToken(p.key)); known {
		return true
	}
	_, ours := j.issuers[claimedIssuer(p.key)]
	return ours
}

// claimedIssuer reads the iss claim, which anyone may have written.
func claimedIssuer(token string) string {
	_, rest, _ := strings.Cut(token, ".")
	payload, _, _ := strings.Cut(rest, ".")
	text, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return ""
	}
	var claims struct {
		Issuer string `json:"iss"`
	}
	if json.Unmarshal(text, &claims) != nil {
		return ""
	}
	return claims.Issuer
}

// find implements [method]. A token that was verified before costs a hash.
func (j *jwts) find(ctx context.Context, p presented, now time.Time) (*exchange.Caller, Reason) {
	digest := digestOfToken(p.key)
	if v, known := j.known.get(digest); known && v.holds(now) {
		return v.caller, ""
	}
	v, reason := j.verify(ctx, p.key, now)
	if reason != "" {
		return nil, reason
	}
	j.known.put(digest, v)
	return v.caller, ""
}

// verify looks at what is cheap first, so that nobody makes the gateway compute
// signatures of tokens that could not be good anyway.
func (j *jwts) verify(ctx context.Context, text string, now time.Time) (verifiedJWT, Reason) {
	token, reason := j.parse(text)
	if reason != "" {
		return verifiedJWT{}, reason
	}
	var claims jwt.Claims
	if token.UnsafeClaimsWithoutVerification(&claims) != nil {
		return verifiedJWT{}, ReasonMalformed
	}
	issuer := j.issuers[claims.Issuer]
	if issuer == nil || !claims.Audience.Contains(issuer.audience) {
		return verifiedJWT{}, ReasonUnknown
	}
	if reason := inTime(claims, now); reason != "" {
		return verifiedJWT{}, reason
	}
	key, reason := issuer.signer(ctx, token, now)
	if reason != "" {
		return verifiedJWT{}, reason
	}
	claim(ctx, claims.Issuer+" "+claims.Subject)
	caller := issuer.subjects[claims.Subject]
	if caller == nil {
		return verifiedJWT{}, ReasonUnknown
	}
	return verifiedJWT{caller: caller, keys: issuer.keys, key: key, until: claims.Expiry.Time().Add(jwtLeeway)}, ""
}

func (j *jwts) parse(text string) (*jwt.JSONWebToken, Reason) {
	token, err := jwt.ParseSigned(text, j.algorithms)
	if err != nil {
		if _, foreign := errors.AsType[*jose.ErrUnexpectedSignatureAlgorithm](err); foreign {
			return nil, ReasonUnknown
		}
		return nil, ReasonMalformed
	}
	// Extensions that must be understood are not (RFC 7515 section 4.1.11). The
	// header's own keys and addresses of keys are never looked at.
	for _, name := range []jose.HeaderKey{"crit", "b64", "zip"} {
		if _, there := token.Headers[0].ExtraHeaders[name]; there {
			return nil, ReasonMalformed
		}
	}
	return token, ""
}

// inTime judges the dates: exp is required, nbf and iat count if they are there.
func inTime(claims jwt.Claims, now time.Time) Reason {
	expected := jwt.Expected{Time: now}
	switch err := claims.ValidateWithLeeway(expected, jwtLeeway); {
	case claims.Expiry == nil || *claims.Expiry <= 0 || *claims.Expiry > maxExpiry:
		return ReasonMalformed
	case errors.Is(err, jwt.ErrExpired), !now.Before(claims.Expiry.Time().Add(jwtLeeway)):
		return ReasonExpired
	case err != nil:
		return ReasonUnknown
	}
	return ""
}

// signer returns the issuer's key that has signed the token.
func (i *jwtIssuer) signer(ctx context.Context, token *jwt.JSONWebToken, now time.Time) (*publicKey, Reason) {
	table := i.keys.keys(ctx, now)
	if table == nil {
		return nil, ReasonUnavailable
	}
	header := token.Headers[0]
	candidates := table.candidates(header.KeyID, jose.SignatureAlgorithm(header.Algorithm))
	signed := slices.IndexFunc(candidates, func(k *publicKey) bool { return token.Claims(k.key) == nil })
	if signed < 0 { // perhaps by a new key, which may have the id of an old one, or none
		i.keys.ask(now)
		return nil, ReasonUnknown
	}
	return candidates[signed], ""
}
