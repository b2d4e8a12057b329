package auth

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"iqgateway/internal/secret"
)

func tokenKey(b byte) secret.Text { return secret.New(strings.Repeat(string(b), signingKeySize)) }

func newTokens(t testing.TB, key secret.Text, callers []Caller, previous ...secret.Text) *GatewayTokens {
	t.Helper()
	tokens, err := NewGatewayTokens(GatewayTokensOptions{SigningKey: key, PreviousKeys: previous, TTL: time.Minute, Callers: callers})
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

func (t *GatewayTokens) mustIssue(tb testing.TB, caller, key, use string, now time.Time) string {
	tb.Helper()
	token, _, err := t.issue(t.grants[grantID{caller, key}], use, now)
	if err != nil {
		tb.Fatal(err)
	}
	return token
}

// judged asks tokens whether text proves a caller, twice: the second time it is
// remembered.
func judged(t *testing.T, tokens *GatewayTokens, text string, now time.Time) (name, key string, reason Reason) {
	t.Helper()
	p := presented{key: text, bearer: true}
	if !tokens.accepts(p) {
		return "", "", "not accepted"
	}
	caller, reason := tokens.find(context.Background(), p, now)
	if _, again := tokens.find(context.Background(), p, now); again != reason {
		t.Errorf("first %q, then %q", reason, again)
	}
	if caller != nil {
		name, key = caller.Name, caller.KeyID
	}
	return name, key, reason
}

func TestGatewayToken(t *testing.T) {
	tokens := newTokens(t, tokenKey(1), testCallers())
	text := tokens.mustIssue(t, "storefront", "sf-1", useAccess, noon())
	if !strings.HasPrefix(text, gatewayTokenHeader) {
		t.Fatalf("begins with %.60s", text)
	}
	if text == tokens.mustIssue(t, "storefront", "sf-1", useAccess, noon()) {
		t.Error("two tokens are the same")
	}
	replica := newTokens(t, tokenKey(1), testCallers())
	for name, at := range map[string]*GatewayTokens{"the replica that made it": tokens, "another one": replica} {
		caller, key, reason := judged(t, at, text, noon().Add(59*time.Second))
		if caller != "storefront" || key != "sf-1" || reason != "" {
			t.Errorf("%s: %s %s %q", name, caller, key, reason)
		}
		if _, _, reason := judged(t, at, text, noon().Add(time.Minute)); reason != ReasonExpired {
			t.Errorf("%s, after its time: %q", name, reason)
		}
	}
	if caller, _ := tokens.find(context.Background(), presented{key: text, bearer: true}, noon()); caller.Proof != ProofToken {
		t.Errorf("proof %q", caller.Proof)
	}
}

// A token ends with its key, on every replica that has the new configuration.
func TestGatewayTokenEndsWithItsKey(t *testing.T) {
	text := newTokens(t, tokenKey(1), testCallers()).mustIssue(t, "storefront", "sf-1", useAccess, noon())
	change := func(edit func(*Caller)) []Caller {
		all := testCallers()
		edit(&all[0])
		return all
	}
	cases := map[string]struct {
		callers []Caller
		key     secret.Text
		want    Reason
	}{
		"unchanged":              {testCallers(), tokenKey(1), ""},
		"other keys changed":     {change(func(c *Caller) { c.Keys = c.Keys[:1] }), tokenKey(1), ""},
		"the key is gone":        {change(func(c *Caller) { c.Keys = c.Keys[1:] }), tokenKey(1), ReasonUnknown},
		"the caller is gone":     {testCallers()[1:], tokenKey(1), ReasonUnknown},
		"another key, same id":   {change(func(c *Caller) { c.Keys[0].Digest = DigestOf("key-replaced") }), tokenKey(1), ReasonUnknown},
		"the key has expired":    {change(func(c *Caller) { c.Keys[0].Expires = noon() }), tokenKey(1), ReasonExpired},
		"the key expires later":  {change(func(c *Caller) { c.Keys[0].Expires = noon().Add(1) }), tokenKey(1), ""},
		"the key moved":          {change(func(c *Caller) { c.Name = "another" }), tokenKey(1), ReasonUnknown},
		"another signing key":    {testCallers(), tokenKey(2), ReasonUnknown},
		"the id is another's":    {[]Caller{{Name: "nightly", Keys: []Key{{ID: "sf-1", Digest: DigestOf("key-a")}}}}, tokenKey(1), ReasonUnknown},
		"the caller has no keys": {change(func(c *Caller) { c.Keys = nil }), tokenKey(1), ReasonUnknown},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if _, _, reason := judged(t, newTokens(t, c.key, c.callers), text, noon()); reason != c.want {
				t.Errorf("%q, want %q", reason, c.want)
			}
		})
	}
}

// A signing key is replaced without ending any token: the old one only verifies.
func TestSigningKeyRotates(t *testing.T) {
	callers := testCallers()
	old := newTokens(t, tokenKey(1), callers)
	access := old.mustIssue(t, "storefront", "sf-1", useAccess, noon())
	refresh := old.mustIssue(t, "storefront", "sf-1", useRefresh, noon())
	rotated := newTokens(t, tokenKey(2), callers, tokenKey(3), tokenKey(1))
	caller, key, reason := judged(t, rotated, access, noon())
	if caller != "storefront" || key != "sf-1" || reason != "" {
		t.Errorf("the old key's token: %s %s %q", caller, key, reason)
	}
	g, reason := rotated.check(refresh, useRefresh, noon())
	if reason != "" || g.id.key != "sf-1" {
		t.Errorf("the old key's refresh token: %q", reason)
	}
	fresh := rotated.mustIssue(t, "storefront", "sf-1", useAccess, noon())
	for name, c := range map[string]struct {
		tokens *GatewayTokens
		text   string
		want   Reason
	}{
		"the old key signs nothing":                {old, fresh, ReasonUnknown},
		"a new token":                              {newTokens(t, tokenKey(2), callers), fresh, ""},
		"the old key is gone":                      {newTokens(t, tokenKey(2), callers), access, ReasonUnknown},
		"the new key came first as a previous one": {newTokens(t, tokenKey(1), callers, tokenKey(2)), fresh, ""},
	} {
		if _, _, reason := judged(t, c.tokens, c.text, noon()); reason != c.want {
			t.Errorf("%s: %q, want %q", name, reason, c.want)
		}
	}
	callers[0].Keys[0].Digest = DigestOf("key-replaced")
	if _, _, reason := judged(t, newTokens(t, tokenKey(2), callers, tokenKey(1)), access, noon()); reason != ReasonUnknown {
		t.Errorf("the token outlives its key: %q", reason)
	}
}

func TestForgedGatewayTokens(t *testing.T) {
	tokens := newTokens(t, tokenKey(1), testCallers())
	good := tokens.mustIssue(t, "storefront", "sf-1", useAccess, noon())
	parts := strings.Split(good, ".")
	encode := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	other := encode(strings.Replace(string(payload), "storefront", "nightly", 1))
	for name, text := range map[string]string{
		"another caller":           parts[0] + "." + other + "." + parts[2],
		"no signature":             parts[0] + "." + parts[1] + ".",
		"a broken signature":       parts[0] + "." + parts[1] + "." + encode(strings.Repeat("x", 32)),
		"two parts":                parts[0] + "." + parts[1],
		"four parts":               good + "." + parts[2],
		"alg none":                 encode(`{"alg":"none","typ":"iqgw+jwt"}`) + "." + parts[1] + ".",
		"alg HS512":                encode(`{"alg":"HS512","typ":"iqgw+jwt"}`) + "." + parts[1] + "." + parts[2],
		"another type":             encode(`{"alg":"HS256","typ":"JWT"}`) + "." + parts[1] + "." + parts[2],
		"spaces in the header":     encode(`{"alg": "HS256", "typ":"iqgw+jwt"}`) + "." + parts[1] + "." + parts[2],
		"longer than any token":    good + strings.Repeat("A", maxGatewayToken),
		"a refresh token":          tokens.mustIssue(t, "storefront", "sf-1", useRefresh, noon()),
		"our key, another payload": signed(t, tokenKey(1), `"text"`),
		"our key, another issuer":  signed(t, tokenKey(1), strings.Replace(string(payload), issuer, "other", 1)),
		"our key, another use":     signed(t, tokenKey(1), strings.Replace(string(payload), `"use":"access"`, `"use":""`, 1)),
	} {
		if _, _, reason := judged(t, tokens, text, noon()); reason == "" {
			t.Errorf("%s is accepted", name)
		}
	}
	if tokens.accepts(presented{key: good}) {
		t.Error("accepted although it is no bearer")
	}
}

func signed(t *testing.T, key secret.Text, payload string) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: []byte(key.Reveal())}, (&jose.SignerOptions{}).WithType(gatewayTokenType))
	if err != nil {
		t.Fatal(err)
	}
	object, err := signer.Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	text, err := object.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestGatewayTokenTellsNoSecret(t *testing.T) {
	tokens := newTokens(t, tokenKey(1), testCallers())
	text := tokens.mustIssue(t, "storefront", "sf-1", useAccess, noon())
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(text, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	digest := DigestOf("key-a")
	for _, hidden := range []string{"key-a", digest.String(), base64.RawURLEncoding.EncodeToString(digest[:])[:20], tokenKey(1).Reveal()} {
		if bytes.Contains(payload, []byte(hidden)) {
			t.Errorf("%s holds %q", payload, hidden)
		}
	}
}

func TestGatewayTokenNeverOutlivesItsKey(t *testing.T) {
	tokens := newTokens(t, tokenKey(1), testCallers()) // sf-new ends one second past noon
	g := tokens.grants[grantID{"storefront", "sf-new"}]
	for _, use := range []string{useAccess, useRefresh} {
		if _, lifetime, err := tokens.issue(g, use, noon()); err != nil || lifetime != time.Second {
			t.Errorf("%s: lives for %s, %v", use, lifetime, err)
		}
	}
}

func TestSigningKeySize(t *testing.T) {
	for _, size := range []int{0, 16, 31, 33, 64} {
		if _, err := NewGatewayTokens(GatewayTokensOptions{SigningKey: secret.New(strings.Repeat("k", size))}); err == nil {
			t.Errorf("a key of %d bytes is taken", size)
		}
		if _, err := NewGatewayTokens(GatewayTokensOptions{SigningKey: tokenKey(1), PreviousKeys: []secret.Text{secret.New(strings.Repeat("k", size))}}); err == nil {
			t.Errorf("a previous key of %d bytes is taken", size)
		}
	}
}

func FuzzGatewayToken(f *testing.F) {
	tokens := newTokens(f, tokenKey(1), testCallers())
	good := tokens.mustIssue(f, "storefront", "sf-1", useAccess, noon())
	refresh := tokens.mustIssue(f, "storefront", "sf-1", useRefresh, noon())
	for _, text := range []string{good, refresh, "", gatewayTokenHeader, gatewayTokenHeader + "e30.", good[:len(good)-1], good + "A"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if _, reason := tokens.check(text, useAccess, noon()); reason == "" && !isSigned(text, tokenKey(1)) {
			t.Errorf("accepted %q", text)
		}
	})
}

// isSigned recomputes a signature, without the library.
func isSigned(text string, key secret.Text) bool {
	signed, sum, found := strings.CutLast(text, ".")
	if !found {
		return false
	}
	signature, err := base64.RawURLEncoding.DecodeString(sum)
	mac := hmac.New(sha256.New, []byte(key.Reveal()))
	mac.Write([]byte(signed))
	return err == nil && hmac.Equal(signature, mac.Sum(nil))
}

func BenchmarkGatewayToken(b *testing.B) {
	tokens := newTokens(b, tokenKey(1), testCallers())
	p := presented{key: tokens.mustIssue(b, "storefront", "sf-1", useAccess, noon()), bearer: true}
	for name, forget := range map[string]bool{"remembered": false, "verified": true} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if forget {
					tokens.known.forget()
				}
				if _, reason := tokens.find(context.Background(), p, noon()); reason != "" {
					b.Fatal(reason)
				}
			}
		})
	}
}
