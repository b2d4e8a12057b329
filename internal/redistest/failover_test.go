package redistest_test

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"iqgateway/internal/redistest"
)

// setSoon writes as an application would that survives a failover.
func setSoon(t *testing.T, r redis.UniversalClient, key, value string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := r.Set(ctx, key, value, time.Minute).Err()
		if err == nil {
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Fatalf("set %s: %v", key, err)
		}
	}
}

func TestFailoverTwice(t *testing.T) {
	t.Parallel()
	trio := redistest.Sentinel(t)
	r := client(t, trio)
	for _, key := range []string{"first", "second"} {
		old := trio.Master()
		setSoon(t, r, key, "before")
		now := trio.Failover(t)
		if now == old || now != trio.Master() {
			t.Fatalf("%s was the master, Failover gave %s, it is %s", old.Address(), now.Address(), trio.Master().Address())
		}
		if !old.Running() {
			t.Error("the old master must live on as a replica")
		}
		if err := client(t, old).Set(t.Context(), "k", "v", time.Minute).Err(); !redis.HasErrorPrefix(err, "READONLY") {
			t.Errorf("a write to the old master: %v", err)
		}
		if dump := trio.Dump(t); dump[key] == "" {
			t.Errorf("%q was lost", key)
		}
		setSoon(t, r, key, "after")
		if got := now.CLI(t, "GET", key); got != "after" {
			t.Errorf("%s = %q on the new master", key, got)
		}
	}
}

func TestKilledMasterIsReplacedAndReturnsAsReplica(t *testing.T) {
	t.Parallel()
	trio := redistest.Sentinel(t)
	r := client(t, trio)
	setSoon(t, r, "k", "v")
	old := trio.Master()
	now := trio.KillMaster(t)
	if now == old || old.Running() {
		t.Fatalf("killed %s (running: %v), the master is %s", old.Address(), old.Running(), now.Address())
	}
	setSoon(t, r, "k", "w")

	old.Start()
	trio.Settle(t)
	if trio.Master() != now {
		t.Error("the killed master is the master again")
	}
	if got := old.CLI(t, "GET", "k"); got != "w" {
		t.Errorf("the returned server has k = %q", got)
	}
}

func TestFrozenMasterIsReplacedBySentinels(t *testing.T) {
	t.Parallel()
	trio := redistest.Sentinel(t)
	old := trio.Master()
	old.Freeze()
	now := trio.Master()
	if now == old {
		t.Fatal("a frozen master counts as the master")
	}
	old.Thaw()
	trio.Settle(t)
	if trio.Master() != now {
		t.Error("the thawed master is the master again")
	}
}

func TestClusterMemberReturns(t *testing.T) {
	t.Parallel()
	cluster := redistest.Cluster(t)
	r := client(t, cluster)
	for _, key := range someKeys() {
		set(t, r, key, "v")
	}
	member := cluster.Servers()[1]
	lost := len(member.Dump(t))
	member.Kill()
	member.Start()
	cluster.Settle(t)
	if left, want := len(cluster.Dump(t)), len(someKeys())-lost; left != want {
		t.Errorf("%d keys are left, want %d", left, want)
	}
	for _, key := range someKeys() {
		setSoon(t, r, key, "again")
	}
}
