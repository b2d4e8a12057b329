package redisstore_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"iqgateway/internal/redistest"
	"iqgateway/tokencache"
	"iqgateway/tokencache/redisstore"
)

func TestOneClaimAtATime(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		fleet := []*replica{newReplica(t, topology, setup{}), newReplica(t, topology, setup{}), newReplica(t, topology, setup{})}
		key := storeKey("main")
		var holders, most, claims atomic.Int64
		var last atomic.Uint64
		var wg sync.WaitGroup
		for i := range 12 {
			wg.Go(func() {
				for range 30 {
					claim, _, err := fleet[i%3].Claim(t.Context(), key)
					if err != nil || claim == nil {
						if err != nil {
							t.Error(err)
						}
						continue
					}
					if n := holders.Add(1); n > 1 {
						most.Store(n)
					}
					claims.Add(1)
					generation, err := claim.Grant(t.Context(), aToken("t"), tokencache.History{})
					if before := last.Swap(generation); err != nil || generation <= before {
						t.Errorf("generation %d after %d: %v", generation, before, err)
					}
					holders.Add(-1)
					claim.Release()
				}
			})
		}
		wg.Wait()
		if most.Load() > 0 || claims.Load() == 0 {
			t.Errorf("%d holders at once, %d claims", most.Load(), claims.Load())
		}
	})
}

func TestWhileAClaimIsHeldOthersSeeTheState(t *testing.T) {
	topology := redistest.Single(t)
	one, two := newReplica(t, topology, setup{}), newReplica(t, topology, setup{})
	key := storeKey("main")
	generation := one.granted(t, key, "a", tokencache.History{Failures: 1})
	held := one.mustClaim(t, key)
	for name, r := range map[string]*replica{"another replica": two, "the same replica": one} {
		claim, shared, err := r.Claim(t.Context(), key)
		if err != nil || claim != nil {
			t.Fatalf("%s: claim %v, %v", name, claim, err)
		}
		if shared.Generation != generation || shared.History.Failures != 1 {
			t.Errorf("%s sees %+v", name, shared)
		}
	}
	held.Release()
	held.Release() // does nothing
	two.mustClaim(t, key)
}

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
	eventually(t, "the lock runs out", func() bool {
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

func TestWithoutAnotherClaimALateGrantCounts(t *testing.T) {
	topology := redistest.Single(t)
	one := newReplica(t, topology, setup{lockTTL: 100 * time.Millisecond})
	key := storeKey("main")
	held := one.mustClaim(t, key)
	if err := one.Close(); err != nil {
		t.Fatal(err)
	}
	client := direct(t, topology)
	eventually(t, "the lock runs out", func() bool { return client.Exists(t.Context(), one.name(key, "lock")).Val() == 0 })
	generation := must[uint64](t)(held.Grant(t.Context(), aToken("late"), tokencache.History{}))
	again := must[uint64](t)(held.Grant(t.Context(), aToken("late"), tokencache.History{}))
	if got := one.mustLoad(t, key); got.Generation != generation || again != generation {
		t.Errorf("generations: granted %d, again %d, loaded %d", generation, again, got.Generation)
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
	eventually(t, "the heartbeat notices", func() bool { return one.seen.of("lost") == 1 })
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
	must[uint64](t)(held.Grant(t.Context(), aToken("a"), tokencache.History{}))
}

func TestAFailKeepsTheToken(t *testing.T) {
	one := newReplica(t, redistest.Single(t), setup{})
	key := storeKey("main")
	generation := one.granted(t, key, "a", tokencache.History{})
	if err := one.Accepted(t.Context(), key, generation); err != nil {
		t.Fatal(err)
	}
	claim := one.mustClaim(t, key)
	if err := claim.Fail(t.Context(), tokencache.History{Failures: 1, LastError: "status 500"}); err != nil {
		t.Fatal(err)
	}
	claim.Release()
	got := one.mustLoad(t, key)
	if got.Generation != generation || !got.Accepted || got.History.Failures != 1 || got.History.LastError != "status 500" {
		t.Errorf("after a failure: %+v", got)
	}
}
