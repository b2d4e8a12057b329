package redisstore_test

import (
	"strings"
	"testing"

	"iqgateway/internal/redistest"
	"iqgateway/limiter"
)

func TestNoNameCanBeReadInRedis(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		r := newReplica(t, topology, redistest.Generous)
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
			for _, form := range redistest.Disguises(canary) {
				if strings.Contains(all.String(), form) {
					t.Errorf("%q can be read as %q", canary, form)
				}
			}
		}
		topology.NoEternalKeys(t)
	})
}

// A replica that does not know a caller shows that there is one.
func TestCallersOfOtherReplicas(t *testing.T) {
	topology := redistest.Single(t)
	one, two := newReplica(t, topology, redistest.Generous), newReplica(t, topology, redistest.Generous)
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
