package redisstore_test

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"iqgateway/internal/redistest"
	"iqgateway/internal/secret"
	"iqgateway/tokencache"
)

// disguises are the forms in which a text could lie in Redis without being
// sealed. Base64 has three, by the text's place in the encoded whole.
func disguises(text string) []string {
	forms := []string{text, hex.EncodeToString([]byte(text)), strings.ToUpper(hex.EncodeToString([]byte(text)))}
	for offset := range 3 {
		whole := strings.Repeat("\x00", offset) + text
		for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			encoded := e.EncodeToString([]byte(whole[:len(whole)-len(whole)%3]))
			forms = append(forms, encoded[[]int{0, 2, 3}[offset]:])
		}
	}
	return forms
}

func TestNothingReadableLiesInRedis(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		r := newReplica(t, topology, setup{})
		key := tokencache.StoreKey{
			Environment: "canary-environment", Credential: "canary-credential",
			Fingerprint: [32]byte([]byte("canary-fingerprint-0123456789abc")),
		}
		now := time.Now()
		claim := r.mustClaim(t, key)
		generation := must[uint64](t)(claim.Grant(t.Context(), tokencache.SharedToken{
			Field: secret.New("Bearer canary-token"), Refresh: secret.New("canary-refresh"),
			Issued: now, Expires: now.Add(time.Hour), Holder: "canary-holder",
		}, tokencache.History{LastError: "canary-error", Refusals: []tokencache.Refusal{{ID: "canary-refusal", At: now}}}))
		if err := r.Accepted(t.Context(), key, generation); err != nil {
			t.Fatal(err)
		}

		dump := topology.Dump(t)
		if len(dump) != 4 {
			t.Fatalf("%d keys, want state, token, history and lock", len(dump))
		}
		var all strings.Builder
		for name, text := range dump {
			all.WriteString(name + "\n" + text + "\n")
		}
		for _, canary := range []string{
			"canary-environment", "canary-credential", string(key.Fingerprint[:]), "canary-token", "Bearer ",
			"canary-refresh", "canary-holder", "canary-error", "canary-refusal",
		} {
			for _, form := range disguises(canary) {
				if strings.Contains(all.String(), form) {
					t.Errorf("%q can be read as %q", canary, form)
				}
			}
		}
		topology.NoEternalKeys(t)
	})
}

// The search itself must find what it looks for.
func TestDisguisesAreFound(t *testing.T) {
	for pad := range 6 {
		whole := []byte(strings.Repeat("x", pad) + "canary-token" + strings.Repeat("y", 5))
		for _, text := range []string{string(whole), hex.EncodeToString(whole), base64.StdEncoding.EncodeToString(whole), base64.URLEncoding.EncodeToString(whole)} {
			found := false
			for _, form := range disguises("canary-token") {
				found = found || strings.Contains(text, form)
			}
			if !found {
				t.Errorf("not found in %s", text)
			}
		}
	}
}
