package auth

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// testIssuer signs tokens and publishes its keys over HTTPS, as a cluster does.
type testIssuer struct {
	t      testing.TB
	name   string
	server *httptest.Server
	caFile string
	token  atomic.Value // that its key set is asked with; "" = none
	asked  atomic.Int64

	mu     sync.Mutex
	keys   []jose.JSONWebKey
	answer http.HandlerFunc // instead of the keys; nil = the keys
}

func newTestIssuer(t testing.TB, name string) *testIssuer {
	t.Helper()
	i := &testIssuer{t: t, name: name, keys: []jose.JSONWebKey{}}
	i.token.Store("")
	i.server = httptest.NewTLSServer(http.HandlerFunc(i.serve))
	t.Cleanup(i.server.Close)
	i.caFile = filepath.Join(t.TempDir(), "ca.crt")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.server.Certificate().Raw})
	if err := os.WriteFile(i.caFile, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return i
}

func (i *testIssuer) serve(w http.ResponseWriter, r *http.Request) {
	i.asked.Add(1)
	i.mu.Lock()
	keys, answer := jose.JSONWebKeySet{Keys: i.keys}, i.answer
	i.mu.Unlock()
	switch token := i.token.Load().(string); {
	case token != "" && r.Header.Get("Authorization") != "Bearer "+token:
		w.WriteHeader(http.StatusForbidden)
	case answer != nil:
		answer(w, r)
	default:
		w.Header().Set("Cache-Control", "public, max-age=3600")
		w.Header().Set("Content-Type", "application/jwk-set+json")
		_ = json.NewEncoder(w).Encode(keys)
	}
}

func (i *testIssuer) source() KeySource {
	return KeySource{Issuer: i.name, URL: i.server.URL + "/openid/v1/jwks", RootsFile: i.caFile}
}

// publish replaces the keys.
func (i *testIssuer) publish(keys ...*issuerKey) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = nil
	for _, k := range keys {
		i.keys = append(i.keys, jose.JSONWebKey{Key: k.key.Public(), KeyID: k.id, Use: "sig", Algorithm: string(k.algorithm)})
	}
}

func (i *testIssuer) answers(h http.HandlerFunc) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.answer = h
}

// issuerKey is a private key of an issuer.
type issuerKey struct {
	id        string
	key       crypto.Signer
	algorithm jose.SignatureAlgorithm
}

func rsaKey(t testing.TB, id string) *issuerKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return &issuerKey{id, key, jose.RS256}
}

func ecKey(t testing.TB, id string) *issuerKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &issuerKey{id, key, jose.ES256}
}

type claims = map[string]any

// sign makes a token; edits change the claims of a good one.
func (k *issuerKey) sign(t testing.TB, issuer string, edits ...func(claims)) string {
	t.Helper()
	c := serviceAccount(issuer)
	for _, edit := range edits {
		edit(c)
	}
	return k.signAny(t, c)
}

func (k *issuerKey) signAny(t testing.TB, payload any) string {
	t.Helper()
	options := (&jose.SignerOptions{}).WithHeader("kid", k.id)
	if k.id == "" {
		options = &jose.SignerOptions{}
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: k.algorithm, Key: k.key}, options)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.Signed(signer).Claims(payload).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

const storefrontAccount = "system:serviceaccount:shop:storefront"

// serviceAccount are the claims of a projected Kubernetes token.
func serviceAccount(issuer string) claims {
	now := time.Now()
	return claims{
		"aud": []string{"iqgateway"},
		"exp": now.Add(time.Hour).Unix(), "iat": now.Unix(), "nbf": now.Unix(),
		"iss": issuer, "jti": "6b0b9b9e-5b0f-4f0e-8f0a-0c1d2e3f4a5b", "sub": storefrontAccount,
		"kubernetes.io": map[string]any{
			"namespace":      "shop",
			"node":           map[string]string{"name": "node-1", "uid": "2b3c"},
			"pod":            map[string]string{"name": "storefront-7d9f", "uid": "8a9b"},
			"serviceaccount": map[string]string{"name": "storefront", "uid": "14ee"},
			"warnafter":      now.Add(50 * time.Minute).Unix(),
		},
	}
}

func set(name string, value any) func(claims) { return func(c claims) { c[name] = value } }
func without(name string) func(claims)        { return func(c claims) { delete(c, name) } }

// verifier is the method with the key sets of some issuers, which are fetched
// until the test ends.
type verifier struct {
	*jwts
	sets  *KeySets
	used  *Issuers
	calls atomic.Int64
}

// newVerifier fetches keys in the background; want fetches have ended.
func newVerifier(t testing.TB, want int64, issuers ...*testIssuer) *verifier {
	t.Helper()
	v := &verifier{}
	v.sets = NewKeySets(KeySetHooks{Fetched: func(KeySetFetch) { v.calls.Add(1) }})
	var all []Issuer
	caller := Caller{Name: "storefront"}
	for _, i := range issuers {
		all = append(all, Issuer{Name: i.name, Audience: "iqgateway", Keys: i.source()})
		caller.Subjects = append(caller.Subjects, Subject{Issuer: i.name, Subject: storefrontAccount})
	}
	used, err := v.sets.Use(all)
	if err != nil {
		t.Fatal(err)
	}
	v.used = used
	v.jwts = newJWTs([]Caller{caller, {Name: "twin", Subjects: []Subject{{Issuer: issuers[0].name, Subject: "shared"}}}, {
		Name: "other", Subjects: []Subject{{Issuer: issuers[0].name, Subject: "shared"}},
	}}, used)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		v.sets.Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-ended
	})
	awaitAuth(t, "the keys are fetched", func() bool { return v.calls.Load() >= want })
	return v
}

// judge returns why a bearer token is refused; "" = it is not, "not ours" = the
// method does not take it.
func (v *verifier) judge(t testing.TB, token string, at time.Time) Reason {
	t.Helper()
	p := presented{key: token, bearer: true}
	if !v.accepts(p) {
		return "not ours"
	}
	caller, reason := v.find(t.Context(), p, at)
	if (caller == nil) == (reason == "") {
		t.Errorf("caller %v and reason %q", caller, reason)
	}
	return reason
}

// awaitAuth waits until ready says so; it fails after half a minute.
func awaitAuth(t testing.TB, what string, ready func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	for !ready() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("%s: not within 30 s", what)
		}
	}
}
