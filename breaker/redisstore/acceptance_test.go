package redisstore_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"iqgateway/breaker"
	"iqgateway/breaker/storetest"
	"iqgateway/internal/redisconn"
	"iqgateway/internal/redistest"
	"iqgateway/internal/secret"
)

func TestStoreKeepsTheContract(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		one, other := newReplica(t, topology, nil), newReplica(t, topology, nil)
		t.Run("suite", func(t *testing.T) { // ends when all of its parallel tests have
			storetest.Run(t, func(*testing.T) storetest.Fleet { return storetest.Fleet{One: one, Other: other} })
		})
		topology.NoEternalKeys(t)
		for i, r := range []*replica{one, other} {
			if odd := r.seen.String(); odd != "" {
				t.Errorf("store %d counted %s", i, odd)
			}
		}
	})
}

const name = "production/crm@https://crm.example"

// everything calls every method once.
func (r *replica) everything(t *testing.T) map[string]error {
	t.Helper()
	_, errApply := r.Apply(t.Context(), name, breaker.Change{State: breaker.Open, For: time.Minute, By: "a", Probe: "q"})
	_, _, errClaim := r.Claim(t.Context(), name+"#ping", breaker.Probe{ID: "p", Limit: 1, TTL: time.Minute})
	_, errLoad := r.Load(t.Context(), []string{name})
	return map[string]error{"Load": errLoad, "Apply": errApply, "Claim": errClaim}
}

func TestEveryMethodIsOneRoundTrip(t *testing.T) {
	server := redistest.Single(t)
	r := newReplica(t, server, nil)
	for method, err := range r.everything(t) { // Redis learns the scripts
		if err != nil {
			t.Fatalf("%s: %v", method, err)
		}
	}
	server.CLI(t, "CONFIG", "RESETSTAT")
	r.everything(t)
	if byHash, byText := server.ScriptCalls(t); byHash != "calls=3" || byText != "" {
		t.Errorf("EVALSHA %s, EVAL %s", byHash, byText)
	}
}

// With exactly the rights that docs/redis.md has an operator grant, everything
// works: the server notes each command that it refuses.
func TestDocumentedRightsAreEnough(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "redis.md"))
	if err != nil {
		t.Fatal(err)
	}
	rights := regexp.MustCompile("An ACL user needs `([^`]+)`").FindSubmatch(text)
	if rights == nil {
		t.Fatal("docs/redis.md names no rights")
	}
	server := redistest.Single(t, redistest.WithUser("gateway", "secret", strings.Fields(string(rights[1]))...))
	r := newReplica(t, server, func(o *redisconn.Options) { o.Username, o.Password = "gateway", secret.New("secret") })
	for method, err := range r.everything(t) {
		if err != nil {
			t.Errorf("%s: %v", method, err)
		}
	}
	if refused := server.CLI(t, "ACL", "LOG"); refused != "" {
		t.Errorf("refused:\n%s", refused)
	}
}

func TestNamesDoNotStandInRedis(t *testing.T) {
	server := redistest.Single(t)
	r := newReplica(t, server, nil)
	if _, err := r.Apply(t.Context(), name, breaker.Change{State: breaker.Open, For: time.Minute, By: "replica-1"}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Claim(t.Context(), name+"#ping", breaker.Probe{ID: "replica-1.7", Limit: 1, TTL: time.Minute}); err != nil {
		t.Fatal(err)
	}
	dump := server.Dump(t)
	if len(dump) != 2 {
		t.Errorf("%d keys", len(dump))
	}
	for key, value := range dump {
		for _, word := range []string{"production", "crm", "example", "replica-1.7"} {
			if strings.Contains(key+value, word) {
				t.Errorf("%q in %s = %s", word, key, value)
			}
		}
	}
	server.NoEternalKeys(t)
}
