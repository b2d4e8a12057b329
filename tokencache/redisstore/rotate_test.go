package redisstore_test

import (
	"sync/atomic"
	"testing"

	"iqgateway/internal/redistest"
	"iqgateway/internal/secret"
	"iqgateway/tokencache"
)

// The encryption keys rotate one replica after the other, in the gentle order
// (every replica can open with the new key before one seals with it) and in the
// rash ones. Nothing fails in any; the rash ones cost misses.
func TestEncryptionKeysRotateUnderLoad(t *testing.T) {
	t.Parallel()
	before, after := redistest.Key('k'), redistest.Key('K')
	cases := map[string]struct {
		steps  [][]secret.Text
		misses bool
	}{
		"gentle": {[][]secret.Text{{before, after}, {after, before}, {after}}, false},
		"rash":   {[][]secret.Text{{after, before}, {after}}, true},
		"brutal": {[][]secret.Text{{after}, {before}, {after}}, true},
	}
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		for name, c := range cases {
			t.Run(name, func(t *testing.T) {
				topology.FlushAll(t)
				fleet := []*replica{newReplica(t, topology, setup{}), newReplica(t, topology, setup{}), newReplica(t, topology, setup{})}
				key := storeKey("main")
				stop := make(chan struct{})
				rounds, wait := hammer(t, fleet, key, stop)
				for _, keys := range c.steps {
					replaceInTurn(t, fleet, keys, rounds)
				}
				close(stop)
				wait()
				checkRotated(t, topology, fleet, key, c.misses)
			})
		}
	})
}

// replaceInTurn gives each replica the keys, and the fleet some time between.
func replaceInTurn(t *testing.T, fleet []*replica, keys []secret.Text, rounds *atomic.Int64) {
	t.Helper()
	for _, r := range fleet {
		if err := r.ring.Replace(keys); err != nil {
			t.Error(err)
		}
		done := rounds.Load()
		redistest.Eventually(t, "the fleet goes on", func() bool { return rounds.Load() > done+5 })
	}
}

func checkRotated(t *testing.T, topology redistest.Topology, fleet []*replica, key tokencache.StoreKey, mayMiss bool) {
	t.Helper()
	misses := 0
	for _, r := range fleet {
		misses += r.seen.Of("token", "unknown_key") + r.seen.Of("token-history", "unknown_key")
		if n := r.seen.Of("token", "tampered") + r.seen.Of("token-history", "tampered"); n > 0 {
			t.Errorf("%d values counted as tampered", n)
		}
	}
	if (misses > 0) != mayMiss {
		t.Errorf("%d misses, expected some: %v", misses, mayMiss)
	}
	if n := len(topology.Dump(t)); n > 3 { // state, token, history; the lock was released
		t.Errorf("the state has split: %d keys", n)
	}
	generation := fleet[0].granted(t, key, "last", tokencache.History{})
	for _, r := range fleet {
		if got := r.mustLoad(t, key); got.Generation != generation {
			t.Errorf("loaded %d, granted %d", got.Generation, generation)
		}
	}
	topology.NoEternalKeys(t)
}
