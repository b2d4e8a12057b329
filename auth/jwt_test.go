package auth

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"iqgateway/internal/exchange"
)

const cluster = "https://kubernetes.default.svc.cluster.local"

// A projected token of a Kubernetes service account names its caller.
func TestKubernetesServiceAccount(t *testing.T) {
	issuer, key := newTestIssuer(t, cluster), rsaKey(t, "c2tH9bQmS4")
	issuer.publish(key)
	v := newVerifier(t, 1, issuer)
	ctx := exchange.With(t.Context(), &exchange.Exchange{})
	for range 3 {
		caller, reason := v.find(ctx, presented{key: key.sign(t, cluster), bearer: true}, time.Now())
		if reason != "" || caller.Name != "storefront" || caller.Proof != "jwt" || caller.KeyID != cluster+" "+storefrontAccount {
			t.Fatalf("%+v, %q", caller, reason)
		}
	}
	if issuer.asked.Load() != 1 {
		t.Errorf("the issuer was asked %d times", issuer.asked.Load())
	}
}

// What may not pass, although most of it is right.
func TestJWTRefused(t *testing.T) {
	issuer, other := newTestIssuer(t, cluster), newTestIssuer(t, "https://other.example")
	key, second, foreign, ec := rsaKey(t, "one"), rsaKey(t, "two"), rsaKey(t, "one"), ecKey(t, "ec")
	issuer.publish(key, second, ec)
	other.publish(foreign)
	v := newVerifier(t, 2, issuer, other)
	now := time.Now()
	ago := func(d time.Duration) int64 { return now.Add(-d).Unix() }
	good := key.sign(t, cluster)
	tests := map[string]struct {
		token  string
		reason Reason
	}{
		"good":                          {good, ""},
		"with another key":              {second.sign(t, cluster), ""},
		"elliptic curve":                {ec.sign(t, cluster), ""},
		"PS256":                         {(&issuerKey{"one", key.key, jose.PS256}).sign(t, cluster), ReasonUnknown}, // the key is for RS256
		"of the other issuer":           {foreign.sign(t, other.name), ""},
		"audience alone":                {key.sign(t, cluster, set("aud", "iqgateway")), ""},
		"one audience of several":       {key.sign(t, cluster, set("aud", []string{"api", "iqgateway"})), ""},
		"expired, within the leeway":    {key.sign(t, cluster, set("exp", ago(20*time.Second))), ""},
		"issued ahead, within it":       {key.sign(t, cluster, set("iat", ago(-20*time.Second)), set("nbf", ago(-20*time.Second))), ""},
		"without iat and nbf":           {key.sign(t, cluster, without("iat"), without("nbf")), ""},
		"expired":                       {key.sign(t, cluster, set("exp", ago(31*time.Second))), ReasonExpired},
		"without exp":                   {key.sign(t, cluster, without("exp")), ReasonMalformed},
		"exp 0":                         {key.sign(t, cluster, set("exp", 0)), ReasonMalformed},
		"exp beyond all dates":          {key.sign(t, cluster, set("exp", 1e30)), ReasonMalformed},
		"exp as text":                   {key.sign(t, cluster, set("exp", "never")), ReasonMalformed},
		"not yet":                       {key.sign(t, cluster, set("nbf", ago(-time.Minute))), ReasonUnknown},
		"issued in the future":          {key.sign(t, cluster, set("iat", ago(-time.Minute))), ReasonUnknown},
		"another audience":              {key.sign(t, cluster, set("aud", []string{"https://kubernetes.default.svc"})), ReasonUnknown},
		"a longer audience":             {key.sign(t, cluster, set("aud", "iqgateway2")), ReasonUnknown},
		"no audience":                   {key.sign(t, cluster, without("aud")), ReasonUnknown},
		"another subject":               {key.sign(t, cluster, set("sub", storefrontAccount+"2")), ReasonUnknown},
		"a subject in another case":     {key.sign(t, cluster, set("sub", strings.ToUpper(storefrontAccount))), ReasonUnknown},
		"no subject":                    {key.sign(t, cluster, without("sub")), ReasonUnknown},
		"a subject of two callers":      {key.sign(t, cluster, set("sub", "shared")), ReasonUnknown},
		"an issuer of nobody":           {key.sign(t, "https://evil.example"), "not ours"},
		"an issuer with a slash more":   {key.sign(t, cluster+"/"), "not ours"},
		"no issuer":                     {key.sign(t, cluster, without("iss")), "not ours"},
		"another issuer's key":          {foreign.sign(t, cluster), ReasonUnknown},
		"this issuer's key for another": {key.sign(t, other.name), ReasonUnknown},
		"a key that nobody knows":       {rsaKey(t, "three").sign(t, cluster), ReasonUnknown},
		"a key id that is a path":       {(&issuerKey{"../../dev/null", key.key, jose.RS256}).sign(t, cluster), ReasonUnknown},
		"an ec key's id on RSA":         {(&issuerKey{"ec", key.key, jose.RS256}).sign(t, cluster), ReasonUnknown},
		"changed after it was signed":   {tampered(good), ReasonUnknown},
		"cut":                           {good[:len(good)-20], ReasonUnknown},
		"without a signature":           {good[:strings.LastIndexByte(good, '.')+1], ReasonUnknown},
		"four parts":                    {good + ".x", "not ours"},
		"longer than any token":         {key.sign(t, cluster, set("more", strings.Repeat("x", maxJWT))), "not ours"},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			for range 2 { // a token that came before is judged alike
				if reason := v.judge(t, c.token, now); reason != c.reason {
					t.Errorf("%q, want %q", reason, c.reason)
				}
			}
		})
	}
}

// tampered makes another caller of a token's subject.
func tampered(token string) string {
	parts := strings.Split(token, ".")
	payload, _ := base64.RawURLEncoding.DecodeString(parts[1])
	changed := strings.Replace(string(payload), "node-1", "node-2", 1)
	parts[1] = base64.RawURLEncoding.EncodeToString([]byte(changed))
	return strings.Join(parts, ".")
}

// forged joins a header and claims with a signature of any kind.
func forged(t *testing.T, header string, payload any, signature []byte) string {
	t.Helper()
	text, err := json.Marshal(payload)
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(header)) + "." + encode(text) + "." + encode(signature)
}

// No header of a token changes how, or with what, it is verified.
func TestJWTAlgorithmConfusion(t *testing.T) {
	issuer, key := newTestIssuer(t, cluster), rsaKey(t, "one")
	issuer.publish(key)
	v := newVerifier(t, 1, issuer)
	public, err := x509.MarshalPKIXPublicKey(key.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	modulus := key.key.Public().(*rsa.PublicKey).N.Bytes()
	secrets := map[string][]byte{
		"the key as PEM": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), "the key as DER": public, "the modulus": modulus,
	}
	for name, secret := range secrets {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: secret}, (&jose.SignerOptions{}).WithHeader("kid", "one"))
		if err != nil {
			t.Fatal(err)
		}
		token, err := jwt.Signed(signer).Claims(serviceAccount(cluster)).Serialize()
		if err != nil {
			t.Fatal(err)
		}
		if reason := v.judge(t, token, time.Now()); reason != ReasonUnknown {
			t.Errorf("HS256 with %s: %q", name, reason)
		}
	}
	for header, want := range map[string]Reason{
		`{"alg":"none"}`:                                     ReasonUnknown,
		`{"alg":"None","kid":"one"}`:                         ReasonUnknown,
		`{"alg":"","kid":"one"}`:                             ReasonUnknown,
		`{"kid":"one"}`:                                      ReasonUnknown,
		`{"alg":"RS256","alg":"none","kid":"one"}`:           ReasonMalformed,
		`{"alg":["RS256"],"kid":"one"}`:                      ReasonUnknown,
		`{"alg":"RS256","kid":"one","crit":["exp"]}`:         ReasonMalformed,
		`{"alg":"RS256","kid":"one","crit":[]}`:              ReasonMalformed,
		`{"alg":"RS256","kid":"one","b64":false}`:            ReasonMalformed,
		`{"alg":"RS256","kid":"one","zip":"DEF"}`:            ReasonMalformed,
		`{"alg":"RS256","kid":{"x":1}}`:                      ReasonMalformed,
		`["alg"]`:                                            ReasonMalformed,
		`no JSON`:                                            ReasonMalformed,
		`{"alg":"RS256","kid":"one","jku":"https://x.test"}`: ReasonUnknown,
	} {
		if reason := v.judge(t, forged(t, header, serviceAccount(cluster), modulus), time.Now()); reason != want {
			t.Errorf("%s: %q, want %q", header, reason, want)
		}
	}
}

// A key that the token brings along verifies nothing.
func TestJWTKeyInTheToken(t *testing.T) {
	issuer, key := newTestIssuer(t, cluster), rsaKey(t, "one")
	issuer.publish(key)
	v := newVerifier(t, 1, issuer)
	evil := rsaKey(t, "one")
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: evil.key}, &jose.SignerOptions{EmbedJWK: true})
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(serviceAccount(cluster)).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	if reason := v.judge(t, token, time.Now()); reason != ReasonUnknown {
		t.Errorf("%q", reason)
	}
}

// Two keys of one id are both tried; a token without an id is tried with the
// keys of its algorithm, with no more than a few.
func TestJWTKeyIDs(t *testing.T) {
	issuer := newTestIssuer(t, cluster)
	old, renewed, many := rsaKey(t, "same"), rsaKey(t, "same"), []*issuerKey{}
	many = append(many, ecKey(t, "e"), old, renewed)
	for range maxCandidates {
		many = append(many, ecKey(t, ""))
	}
	issuer.publish(many...)
	v := newVerifier(t, 1, issuer)
	anonymous := func(k *issuerKey) *issuerKey { return &issuerKey{"", k.key, k.algorithm} }
	for name, c := range map[string]struct {
		key    *issuerKey
		reason Reason
	}{
		"the first of an id":             {old, ""},
		"the second of an id":            {renewed, ""},
		"without an id":                  {anonymous(renewed), ""},
		"without an id, the first curve": {anonymous(many[0]), ""},
		"without an id, one of too many": {anonymous(many[len(many)-1]), ReasonUnknown},
	} {
		if reason := v.judge(t, c.key.sign(t, cluster), time.Now()); reason != c.reason {
			t.Errorf("%s: %q, want %q", name, reason, c.reason)
		}
	}
}

// Only a bearer text is a JWT: anywhere else it is a key that nobody knows.
// An issuer may sign with a new key under the id of the old one, or without ids:
// the first token asks for it, however many follow.
func TestJWTKeyOfTheSameID(t *testing.T) {
	for name, id := range map[string]string{"the same id": "one", "no id": ""} {
		t.Run(name, func(t *testing.T) {
			issuer, old, next := newTestIssuer(t, cluster), ecKey(t, id), ecKey(t, id)
			issuer.publish(old)
			v := newVerifier(t, 1, issuer)
			issuer.publish(next)
			token, now := next.sign(t, cluster), time.Now()
			if reason := v.judge(t, token, now); reason != ReasonUnknown {
				t.Fatalf("before its key is fetched: %q", reason)
			}
			awaitAuth(t, "the new key is fetched", func() bool { return v.calls.Load() == 2 })
			for range 10 {
				if reason := v.judge(t, old.sign(t, cluster), now); reason != ReasonUnknown {
					t.Fatalf("signed by the old key: %q", reason)
				}
			}
			if reason := v.judge(t, token, now); reason != "" {
				t.Errorf("refused: %q", reason)
			}
			if asked := issuer.asked.Load(); asked != 2 {
				t.Errorf("the issuer was asked %d times", asked)
			}
		})
	}
}

func TestJWTOnlyAsBearer(t *testing.T) {
	issuer, key := newTestIssuer(t, cluster), rsaKey(t, "one")
	issuer.publish(key)
	v := newVerifier(t, 1, issuer)
	token := key.sign(t, cluster)
	all := methods{newCertificates(nil, nil), v.jwts, newKeyring(testCallers())}
	for name, c := range map[string]struct {
		p      presented
		reason Reason
	}{
		"bearer":     {presented{key: token, bearer: true}, ""},
		"key header": {presented{key: token}, ReasonUnknown},
		"basic":      {presented{key: token, caller: "storefront"}, ReasonUnknown},
	} {
		if _, reason := all.find(t.Context(), c.p, time.Now()); reason != c.reason {
			t.Errorf("%s: %q, want %q", name, reason, c.reason)
		}
	}
	if !all.reserved(presented{key: token, bearer: true}) || all.reserved(presented{key: "key-a", bearer: true}) {
		t.Error("what is no key is not told apart")
	}
}

// What the audit log is told of a refused token: nothing unless it was signed.
func TestJWTClaims(t *testing.T) {
	issuer, key := newTestIssuer(t, cluster), rsaKey(t, "one")
	issuer.publish(key)
	v := newVerifier(t, 1, issuer)
	for name, c := range map[string]struct{ token, claimed string }{
		"signed":     {key.sign(t, cluster, set("sub", "nobody\nforged")), cluster + " nobody\uFFFDforged"},
		"not signed": {rsaKey(t, "one").sign(t, cluster), ""},
		"too long":   {key.sign(t, cluster, set("sub", strings.Repeat("é", 200))), cluster + " " + strings.Repeat("é", (maxClaimed-len(cluster)-1)/2)},
	} {
		ex := &exchange.Exchange{}
		_, reason := v.find(exchange.With(t.Context(), ex), presented{key: c.token, bearer: true}, time.Now())
		if reason != ReasonUnknown || ex.Claimed != c.claimed {
			t.Errorf("%s: %q, claimed %q", name, reason, ex.Claimed)
		}
	}
}

// A token that comes again costs a hash, no signature.
func BenchmarkJWT(b *testing.B) {
	issuer, key := newTestIssuer(b, cluster), rsaKey(b, "one")
	issuer.publish(key)
	v := newVerifier(b, 1, issuer)
	now, token := time.Now(), key.sign(b, cluster)
	for name, forget := range map[string]bool{"again": false, "first": true} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if forget {
					v.known.forget()
				}
				if v.judge(b, token, now) != "" {
					b.Fatal("refused")
				}
			}
		})
	}
}
