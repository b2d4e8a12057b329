package redisstore_test

import (
	"errors"
	"testing"
	"time"

	"iqgateway/internal/redistest"
	"iqgateway/tokencache"
	"iqgateway/tokencache/redisstore"
)

func TestAClaimIsKeptAliveUntilItsStoreEnds(t *testing.T) {
	topology := redistest.Single(t)
	const ttl = 300 * time.Millisecond
	one, two := newReplica(t, topology, setup{lockTTL: ttl}), newReplica(t, topology, setup{lockTTL: ttl})
	key := storeKey("main")
	held := one.mustClaim(t, key)
	patience := time.After(5 * ttl)
	for waiting := true; waiting; {
		select {
		case <-patience:
			waiting = false
		case <-time.After(ttl / 10):
		}
		if claim, _, err := two.Claim(t.Context(), key); err != nil || claim != nil {
			t.Fatalf("a claim that is kept alive was given away (%v)", err)
		}
	}
	if err := one.Close(); err != nil { // as good as killed
		t.Fatal(err)
	}
	var next tokencache.Claim
	redistest.Eventually(t, "the lock runs out", func() bool {
		claim, _, err := two.Claim(t.Context(), key)
		next = claim
		return err == nil && claim != nil
	})
	defer next.Release()
	if _, err := held.Grant(t.Context(), aToken("late"), tokencache.History{}); !errors.Is(err, tokencache.ErrClaimLost) {
		t.Errorf("Grant of a lost claim: %v", err)
	}
	if err := held.Fail(t.Context(), tokencache.History{Failures: 9}); !errors.Is(err, tokencache.ErrClaimLost) {
		t.Errorf("Fail of a lost claim: %v", err)
	}
	if got := two.mustLoad(t, key); got.Generation != 0 || got.History.Failures != 0 {
		t.Errorf("the lost claim wrote %+v", got)
	}
	held.Release()
	if claim, _, err := one.Claim(t.Context(), key); claim != nil || !errors.Is(err, redisstore.ErrClosed) {
		t.Errorf("a closed store claims: %v, %v", claim, err)
	}
	if claim, _, _ := two.Claim(t.Context(), key); claim != nil {
		t.Error("releasing the lost claim released the other one")
	}
}

func TestForgettingTheTokenEndsAClaimUnderWay(t *testing.T) {
	topology := redistest.Single(t)
	one, two := newReplica(t, topology, setup{lockTTL: 300 * time.Millisecond}), newReplica(t, topology, setup{})
	key := storeKey("main")
	held := one.mustClaim(t, key)
	if err := two.Forget(t.Context(), key, tokencache.ForgetToken); err != nil {
		t.Fatal(err)
	}
	if _, err := held.Grant(t.Context(), aToken("older"), tokencache.History{}); !errors.Is(err, tokencache.ErrClaimLost) {
		t.Errorf("Grant: %v", err)
	}
	redistest.Eventually(t, "the heartbeat notices", func() bool { return one.seen.Of("lost") == 1 })
	two.granted(t, key, "newer", tokencache.History{})
	if got := one.mustLoad(t, key).Token.Field.Reveal(); got != "Bearer newer" {
		t.Errorf("loaded %q", got)
	}
}

func TestForgettingTheHistoryLeavesAClaimUnderWay(t *testing.T) {
	topology := redistest.Single(t)
	one := newReplica(t, topology, setup{})
	key := storeKey("main")
	held := one.mustClaim(t, key)
	if err := one.Forget(t.Context(), key, tokencache.ForgetHistory); err != nil {
		t.Fatal(err)
	}
	first := must[uint64](t)(held.Grant(t.Context(), aToken("a"), tokencache.History{}))
	if again := must[uint64](t)(held.Grant(t.Context(), aToken("a"), tokencache.History{})); again != first {
		t.Errorf("granted again as %d, at first as %d", again, first)
	}
}

func TestALateHeartbeatUndoesNoRelease(t *testing.T) {
	topology := redistest.Single(t)
	one, two := newReplica(t, topology, setup{}), newReplica(t, topology, setup{})
	key := storeKey("main")
	held := one.mustClaim(t, key)
	if kept, err := redisstore.Extend(t.Context(), held); !kept || err != nil {
		t.Fatalf("a heartbeat of a held claim: %v, %v", kept, err)
	}
	held.Release()
	if kept, err := redisstore.Extend(t.Context(), held); kept || err != nil {
		t.Errorf("a heartbeat of a released claim: %v, %v", kept, err)
	}
	next := two.mustClaim(t, key)
	if kept, err := redisstore.Extend(t.Context(), held); kept || err != nil {
		t.Errorf("a heartbeat of a lost claim: %v, %v", kept, err)
	}
	if kept, err := redisstore.Extend(t.Context(), next); !kept || err != nil {
		t.Errorf("the holder's heartbeat: %v, %v", kept, err)
	}
}

// After a failover to a server whose clock is behind, a later claim may have a
// lower number.
func TestAHeartbeatLeavesTheLockOfAnother(t *testing.T) {
	topology := redistest.Single(t)
	r := newReplica(t, topology, setup{lockTTL: time.Minute})
	key := storeKey("main")
	held := r.mustClaim(t, key)
	client := redistest.Client(t, topology)
	must[int64](t)(client.HSet(t.Context(), r.name(key, "state"), "fence", 17).Result())
	must[string](t)(client.Set(t.Context(), r.name(key, "lock"), "somebody:17", time.Minute).Result())
	if kept, err := redisstore.Extend(t.Context(), held); kept || err != nil {
		t.Errorf("a heartbeat: %v, %v", kept, err)
	}
	held.Release()
	if lock := client.Get(t.Context(), r.name(key, "lock")).Val(); lock != "somebody:17" {
		t.Errorf("the lock became %q", lock)
	}
}

// A fence that has run ahead of the clock is not lost with Redis' memory while
// a claim is held.
func TestAHeartbeatRestoresTheFence(t *testing.T) {
	topology := redistest.Single(t)
	r := newReplica(t, topology, setup{})
	key := storeKey("main")
	must[int64](t)(redistest.Client(t, topology).HSet(t.Context(), r.name(key, "state"), "fence", int64(5e15)).Result())
	held := r.mustClaim(t, key)
	topology.FlushAll(t)
	if kept, err := redisstore.Extend(t.Context(), held); !kept || err != nil {
		t.Fatalf("a heartbeat after a flush: %v, %v", kept, err)
	}
	held.Release()
	if generation := r.granted(t, key, "next", tokencache.History{}); generation <= 5e15+1 {
		t.Errorf("generation %d is not higher than the last", generation)
	}
}
