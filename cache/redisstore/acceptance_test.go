package redisstore_test

import (
	"testing"

	"iqgateway/cache"
	"iqgateway/cache/storetest"
	"iqgateway/internal/redistest"
)

func fleetOf(t *testing.T, topology redistest.Topology) [3]*replica {
	t.Helper()
	return [3]*replica{newReplica(t, topology, setup{}), newReplica(t, topology, setup{}), newReplica(t, topology, setup{})}
}

// untroubled fails for everything that hooks told.
func untroubled(t *testing.T, fleet [3]*replica) {
	t.Helper()
	for i, r := range fleet {
		if odd := r.seen.String(); odd != "" {
			t.Errorf("replica %d counted %s", i, odd)
		}
	}
}

func TestTierKeepsTheContract(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		fleet := fleetOf(t, topology)
		t.Run("suite", func(t *testing.T) { // ends when all of its parallel tests have
			storetest.RunTier(t, func(*testing.T) [3]cache.Tier { return [3]cache.Tier{fleet[0], fleet[1], fleet[2]} })
		})
		topology.NoEternalKeys(t)
		untroubled(t, fleet)
	})
}

func TestLogKeepsTheContract(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		storetest.RunLog(t, func(t *testing.T) [3]cache.Log {
			topology.FlushAll(t)
			fleet := fleetOf(t, topology)
			t.Cleanup(func() {
				topology.NoEternalKeys(t)
				untroubled(t, fleet)
			})
			return [3]cache.Log{fleet[0], fleet[1], fleet[2]}
		})
	})
}
