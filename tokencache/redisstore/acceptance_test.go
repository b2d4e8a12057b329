package redisstore_test

import (
	"testing"
	"time"

	"iqgateway/internal/redistest"
	"iqgateway/tokencache"
	"iqgateway/tokencache/storetest"
)

func TestStoreKeepsTheContract(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		client := redistest.Client(t, topology)
		seldom := setup{lockTTL: time.Minute} // no heartbeat restores a claim that the suite ends
		fleet := []*replica{newReplica(t, topology, seldom), newReplica(t, topology, seldom), newReplica(t, topology, seldom)}
		stores := make([]tokencache.Store, len(fleet))
		for i, r := range fleet {
			stores[i] = r
		}
		storetest.Run(t, func(t *testing.T) storetest.Fleet {
			t.Cleanup(func() { topology.NoEternalKeys(t) })
			topology.FlushAll(t)
			return storetest.Fleet{
				Stores: stores,
				Lose: func(key tokencache.StoreKey) {
					must[int64](t)(client.Del(t.Context(), fleet[0].name(key, "lock")).Result())
				},
			}
		})
		for i, r := range fleet {
			if odd := r.seen.String(); odd != "" {
				t.Errorf("store %d counted %s", i, odd)
			}
		}
	})
}
