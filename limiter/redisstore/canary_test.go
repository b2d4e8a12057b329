package redisstore_test

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"iqgateway/internal/redistest"
	"iqgateway/limiter"
)

// disguises are the forms in which a text could lie in Redis without being
// hidden. Base64 has three, by the text's place in the encoded whole.
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

func TestNoNameCanBeReadInRedis(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		r := newReplica(t, topology, generous)
		side := newSide(t, r, limiter.Key{
			Environment: "canary-environment", Service: "canary-service", Policy: "canary-policy", Counted: "canary-client-id",
		})
		side.ask.Replica = "canary-replica"
		side.ask.SharesID = 1
		side.ask.Shares = []limiter.Share{{Caller: "canary-share", Weight: 2, Guarantee: limiter.Amount{Tokens: 5}}}
		side.learn()
		side.wants(5)
		side.tell()
		side.next()
		if a := side.tell(); a.Closed == nil || len(a.Closed.By) != 1 || a.Closed.By[0].Caller != "canary-caller" {
			t.Fatalf("the window that ended: %+v", a.Closed)
		}
		dump := topology.Dump(t)
		if len(dump) != 2 {
			t.Fatalf("%d keys, want state and history", len(dump))
		}
		var all strings.Builder
		for name, text := range dump {
			all.WriteString(name + "\n" + text + "\n")
		}
		for _, canary := range []string{
			"canary-environment", "canary-service", "canary-policy", "canary-client-id", "canary-replica", "canary-share", "canary-caller",
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

// A replica that does not know a caller shows that there is one.
func TestCallersOfOtherReplicas(t *testing.T) {
	topology := redistest.Single(t)
	one, two := newReplica(t, topology, generous), newReplica(t, topology, generous)
	side := newSide(t, one, bucket("main"))
	side.learn()
	side.ask.Uses = []limiter.Use{{Caller: "first", Spent: 3}, {Caller: "second", Spent: 4, Waiting: 1}}
	side.tell()

	s := must[limiter.Snapshot](t)(two.View(t.Context(), side.key, nil))
	if len(s.Callers) != 1 || s.Callers[0].Caller != "(another replica's caller)" || s.Callers[0].Spent < 7 || len(s.Top) != 1 {
		t.Errorf("without a name: %+v, top %+v", s.Callers, s.Top)
	}
	s = must[limiter.Snapshot](t)(two.View(t.Context(), side.key, []string{"second", "nobody"}))
	if len(s.Callers) != 2 || s.Callers[0].Caller != "second" || s.Callers[1].Caller != "(another replica's caller)" {
		t.Errorf("with one name: %+v", s.Callers)
	}
}
