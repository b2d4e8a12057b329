package redistest_test

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"iqgateway/internal/redistest"
)

func client(t *testing.T, topology redistest.Topology, change ...func(*redis.UniversalOptions)) redis.UniversalClient {
	t.Helper()
	options := &redis.UniversalOptions{
		Addrs: topology.Addresses(), MasterName: topology.MasterName(),
		IsClusterMode: topology.Mode() == "cluster",
	}
	for _, f := range change {
		f(options)
	}
	r := redis.NewUniversalClient(options)
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func TestEachTopologyServesWrites(t *testing.T) {
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		r := client(t, topology)
		for _, key := range []string{"a", "b", "c", "d", "e"} {
			if err := r.Set(t.Context(), key, "value of "+key, time.Minute).Err(); err != nil {
				t.Fatal(err)
			}
			if got := r.Get(t.Context(), key).Val(); got != "value of "+key {
				t.Errorf("%s = %q", key, got)
			}
		}
	})
}

func TestFailoverTwice(t *testing.T) {
	trio := redistest.Sentinel(t)
	for range 2 {
		old := trio.Master()
		began := time.Now()
		if now := trio.Failover(t); now == old {
			t.Error("same master")
		}
		t.Log(time.Since(began))
	}
	began := time.Now()
	old := trio.Master()
	now := trio.KillMaster(t)
	t.Log(time.Since(began))
	old.Start()
	trio.Settle(t)
	t.Log(time.Since(began))
	_ = now
	_ = context.Background
}
