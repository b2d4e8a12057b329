package redisstore_test

import (
	"testing"

	"iqgateway/internal/redistest"
	"iqgateway/limiter"
	"iqgateway/limiter/storetest"
)

func TestStoreKeepsTheContract(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		fleet := []*replica{newReplica(t, topology, redistest.Generous), newReplica(t, topology, redistest.Generous), newReplica(t, topology, redistest.Generous)}
		stores := make([]limiter.Store, len(fleet))
		for i, r := range fleet {
			stores[i] = r
		}
		t.Run("suite", func(t *testing.T) { // ends when all of its parallel tests have
			storetest.Run(t, func(*testing.T) storetest.Fleet { return storetest.Fleet{Stores: stores} })
		})
		topology.NoEternalKeys(t)
		for i, r := range fleet {
			if odd := r.seen.String(); odd != "" {
				t.Errorf("store %d counted %s", i, odd)
			}
		}
	})
}
