package auth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

func jwkText(t testing.TB, k jose.JSONWebKey) string {
	t.Helper()
	text, err := json.Marshal(k)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Keys that nothing may be verified with are dropped; the rest of the set counts.
func TestParseKeySetDrops(t *testing.T) {
	ec := func(curve elliptic.Curve) *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	good := rsaKey(t, "one").key.(*rsa.PrivateKey)
	tests := map[string]struct {
		key  string
		want int // algorithms that it may be used with
	}{
		"RSA":                       {jwkText(t, jose.JSONWebKey{Key: good.Public()}), 6},
		"RSA for one algorithm":     {jwkText(t, jose.JSONWebKey{Key: good.Public(), Algorithm: "PS256", Use: "sig"}), 1},
		"P-256":                     {jwkText(t, jose.JSONWebKey{Key: ec(elliptic.P256()).Public()}), 1},
		"P-384":                     {jwkText(t, jose.JSONWebKey{Key: ec(elliptic.P384()).Public()}), 1},
		"P-521":                     {jwkText(t, jose.JSONWebKey{Key: ec(elliptic.P521()).Public()}), 1},
		"Ed25519":                   {jwkText(t, jose.JSONWebKey{Key: ed.Public()}), 1},
		"RSA 1024":                  {jwkText(t, jose.JSONWebKey{Key: weak.Public()}), 0},
		"RSA 16384":                 {jwkText(t, jose.JSONWebKey{Key: hugeKey{}.Public()}), 0},
		"RSA with exponent 1":       {jwkText(t, jose.JSONWebKey{Key: &rsa.PublicKey{N: good.N, E: 1}}), 0},
		"for encryption":            {jwkText(t, jose.JSONWebKey{Key: good.Public(), Use: "enc"}), 0},
		"for a foreign algorithm":   {jwkText(t, jose.JSONWebKey{Key: good.Public(), Algorithm: "ES256"}), 0},
		"RSA for HS256":             {jwkText(t, jose.JSONWebKey{Key: good.Public(), Algorithm: "HS256"}), 0},
		"RSA for RSA-OAEP":          {jwkText(t, jose.JSONWebKey{Key: good.Public(), Algorithm: "RSA-OAEP"}), 0},
		"P-256 for ES384":           {jwkText(t, jose.JSONWebKey{Key: ec(elliptic.P256()).Public(), Algorithm: "ES384"}), 0},
		"a published private key":   {jwkText(t, jose.JSONWebKey{Key: good}), 0},
		"a published private curve": {jwkText(t, jose.JSONWebKey{Key: ec(elliptic.P256())}), 0},
		"a secret":                  {jwkText(t, jose.JSONWebKey{Key: []byte("0123456789abcdef0123456789abcdef")}), 0},
		"an unknown kind":           {`{"kty":"XYZ"}`, 0},
		"no kind":                   {`{}`, 0},
		"a number":                  {`7`, 0},
		"a point off the curve":     {`{"kty":"EC","crv":"P-256","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"}`, 0},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			table, err := parseKeySet([]byte(`{"keys":[{"kty":"XYZ"},`+c.key+`]}`), nil, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if got := len(table.all); got != min(c.want, 1) || got+table.dropped != 2 {
				t.Fatalf("%d keys, %d dropped", got, table.dropped)
			}
			if c.want > 0 && len(table.all[0].algorithms) != c.want {
				t.Errorf("for %v", table.all[0].algorithms)
			}
		})
	}
}

func TestParseKeySetRefuses(t *testing.T) {
	many := strings.Repeat(`{"kty":"XYZ"},`, maxKeys) + `{"kty":"XYZ"}`
	for name, c := range map[string]struct{ text, want string }{
		"no JSON":       {"<html>", "no JWK set"},
		"no object":     {`["keys"]`, "no JWK set"},
		"no keys":       {`{"jwks":[]}`, "no keys member"},
		"keys are null": {`{"keys":null}`, "no keys member"},
		"too many keys": {`{"keys":[` + many + `]}`, fmt.Sprintf("%d keys", maxKeys+1)},
	} {
		if _, err := parseKeySet([]byte(c.text), nil, time.Now()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if table, err := parseKeySet([]byte(`{"keys":[]}`), nil, time.Now()); err != nil || len(table.all) != 0 {
		t.Errorf("an issuer that has no key any more says so: %v", err)
	}
}

// A key that is fetched again stays the same one, unless what it may be used for
// has changed.
func TestParseKeySetKeepsKeys(t *testing.T) {
	key := rsaKey(t, "one")
	parse := func(before *keyTable, edit func(*jose.JSONWebKey)) *keyTable {
		k := jose.JSONWebKey{Key: key.key.Public(), KeyID: "one"}
		edit(&k)
		table, err := parseKeySet([]byte(`{"keys":[`+jwkText(t, k)+`]}`), before, time.Now())
		if err != nil || len(table.all) != 1 {
			t.Fatal(table, err)
		}
		return table
	}
	first := parse(nil, func(*jose.JSONWebKey) {})
	if again := parse(first, func(*jose.JSONWebKey) {}); !again.has(first.all[0]) {
		t.Error("the same key is another one")
	}
	for name, edit := range map[string]func(*jose.JSONWebKey){
		"id":        func(k *jose.JSONWebKey) { k.KeyID = "two" },
		"algorithm": func(k *jose.JSONWebKey) { k.Algorithm = "RS512" },
		"key":       func(k *jose.JSONWebKey) { k.Key = rsaKey(t, "x").key.Public() },
	} {
		if parse(first, edit).has(first.all[0]) {
			t.Errorf("another %s makes no other key", name)
		}
	}
}

func FuzzParseKeySet(f *testing.F) {
	f.Add([]byte(`{"keys":[` + jwkText(f, jose.JSONWebKey{Key: ecKey(f, "x").key.Public(), KeyID: "x"}) + `]}`))
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB","d":null}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		table, err := parseKeySet(text, nil, time.Time{})
		if err != nil {
			return
		}
		if len(table.all) > maxKeys {
			t.Errorf("%d keys", len(table.all))
		}
		for _, k := range table.all {
			if len(k.algorithms) == 0 || len(algorithmsOf(k.key)) == 0 {
				t.Errorf("a key of no use: %+v", k)
			}
		}
	})
}
