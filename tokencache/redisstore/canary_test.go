package redisstore_test

import (
	"strings"
	"testing"
	"time"

	"iqgateway/internal/redistest"
	"iqgateway/internal/secret"
	"iqgateway/tokencache"
)

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
			for _, form := range redistest.Disguises(canary) {
				if strings.Contains(all.String(), form) {
					t.Errorf("%q can be read as %q", canary, form)
				}
			}
		}
		topology.NoEternalKeys(t)
	})
}
