package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"iqgateway/internal/redistest"
	"iqgateway/tokencache"
)

// grantEventually repeats a Grant as the contract allows.
func grantEventually(t *testing.T, claim tokencache.Claim, text string) uint64 {
	t.Helper()
	var generation uint64
	redistest.Eventually(t, "the grant arrives", func() bool {
		var err error
		generation, err = claim.Grant(t.Context(), aToken(text), tokencache.History{Failures: 1})
		if errors.Is(err, tokencache.ErrClaimLost) {
			t.Fatal("lost to nobody")
		}
		return err == nil
	})
	return generation
}

func TestRedisFreezesWhileAClaimIsHeld(t *testing.T) {
	server := redistest.Single(t)
	brief := setup{timeout: 100 * time.Millisecond, lockTTL: 300 * time.Millisecond}
	one, two := newReplica(t, server, brief), newReplica(t, server, setup{})
	key := storeKey("main")
	held := one.mustClaim(t, key)
	server.Freeze()
	for range 10 { // the last ones find the breaker open
		began := time.Now()
		if _, err := held.Grant(t.Context(), aToken("a"), tokencache.History{}); err == nil || errors.Is(err, tokencache.ErrClaimLost) {
			t.Fatalf("Grant while Redis is frozen: %v", err)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("Grant took %v", took)
		}
	}
	server.Thaw()
	generation := grantEventually(t, held, "a")
	if got := two.mustLoad(t, key); got.Generation != generation {
		t.Errorf("loaded %d, granted %d", got.Generation, generation)
	}
	// The lock has run out meanwhile; the heartbeat takes it again.
	client := redistest.Client(t, server)
	redistest.Eventually(t, "the lock is back", func() bool { return client.Exists(t.Context(), one.name(key, "lock")).Val() == 1 })
	held.Release()
	two.mustClaim(t, key)
}

// A claim whose answer was lost is found by the next one, not waited for.
func TestALostAnswerOfAClaim(t *testing.T) {
	server := redistest.Single(t)
	one := newReplica(t, server, setup{timeout: 100 * time.Millisecond, lockTTL: time.Minute})
	two := newReplica(t, server, setup{})
	key := storeKey("main")
	one.granted(t, storeKey("other"), "warm", tokencache.History{}) // Redis knows the script
	server.Freeze()
	if claim, _, err := one.Claim(t.Context(), key); err == nil {
		t.Fatalf("a frozen server gave %v", claim)
	}
	server.Thaw()
	client := redistest.Client(t, server)
	redistest.Eventually(t, "the claim arrives late", func() bool { return client.Exists(t.Context(), one.name(key, "lock")).Val() == 1 })
	lock := client.Get(t.Context(), one.name(key, "lock")).Val()
	if claim, _, err := two.Claim(t.Context(), key); err != nil || claim != nil {
		t.Fatalf("another replica claims it too (%v)", err)
	}
	var claim tokencache.Claim
	redistest.Eventually(t, "the next claim finds it", func() bool {
		var err error
		claim, _, err = one.Claim(t.Context(), key)
		if err == nil && claim == nil {
			t.Fatal("its own claim is in the way")
		}
		return err == nil
	})
	defer claim.Release()
	if again := client.Get(t.Context(), one.name(key, "lock")).Val(); again != lock {
		t.Errorf("the lock was %s and is %s", lock, again)
	}
	generation := must[uint64](t)(claim.Grant(t.Context(), aToken("a"), tokencache.History{}))
	if _, want, _ := strings.Cut(lock, ":"); fmt.Sprint(generation) != want {
		t.Errorf("generation %d, the lock's number is %s", generation, want)
	}
	// One claim alone found it.
	if other, _, err := one.Claim(t.Context(), key); err != nil || other != nil {
		t.Errorf("claimed twice (%v)", err)
	}
}

func TestRedisIsFlushedBetweenClaimAndGrant(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		one, two := newReplica(t, topology, setup{}), newReplica(t, topology, setup{})
		key := storeKey("main")
		before := one.granted(t, key, "before", tokencache.History{})

		alone := one.mustClaim(t, key)
		topology.FlushAll(t)
		generation := must[uint64](t)(alone.Grant(t.Context(), aToken("alone"), tokencache.History{}))
		if got := two.mustLoad(t, key); generation <= before || got.Generation != generation {
			t.Errorf("generation %d after %d, loaded %d", generation, before, got.Generation)
		}
		alone.Release()

		overtaken := one.mustClaim(t, key)
		topology.FlushAll(t)
		newer := two.granted(t, key, "newer", tokencache.History{})
		if _, err := overtaken.Grant(t.Context(), aToken("older"), tokencache.History{}); !errors.Is(err, tokencache.ErrClaimLost) {
			t.Errorf("Grant after another claim: %v", err)
		}
		if got := one.mustLoad(t, key); got.Token.Field.Reveal() != "Bearer newer" || newer <= generation {
			t.Errorf("loaded %q of %d after %d", got.Token.Field.Reveal(), newer, generation)
		}
		topology.NoEternalKeys(t)
	})
}

func TestTheHeartbeatRestoresALostLock(t *testing.T) {
	topology := redistest.Single(t)
	one, two := newReplica(t, topology, setup{lockTTL: 300 * time.Millisecond}), newReplica(t, topology, setup{})
	key := storeKey("main")
	held := one.mustClaim(t, key)
	topology.FlushAll(t)
	client := redistest.Client(t, topology)
	redistest.Eventually(t, "the lock is back", func() bool { return client.Exists(t.Context(), one.name(key, "lock")).Val() == 1 })
	if claim, _, err := two.Claim(t.Context(), key); err != nil || claim != nil {
		t.Errorf("claimed twice (%v)", err)
	}
	must[uint64](t)(held.Grant(t.Context(), aToken("a"), tokencache.History{}))
	topology.NoEternalKeys(t)
}

func TestRedisIsKilledBetweenClaimAndGrant(t *testing.T) {
	server := redistest.Single(t)
	one, two := newReplica(t, server, setup{timeout: 200 * time.Millisecond}), newReplica(t, server, setup{timeout: 200 * time.Millisecond})
	key := storeKey("main")
	held := one.mustClaim(t, key)
	server.Kill()
	if _, err := held.Grant(t.Context(), aToken("a"), tokencache.History{}); err == nil || errors.Is(err, tokencache.ErrClaimLost) {
		t.Fatalf("Grant without Redis: %v", err)
	}
	held.Release() // waits for nothing
	server.Start()
	generation := grantEventually(t, held, "a")
	redistest.Eventually(t, "another replica sees it", func() bool {
		got, err := two.Load(t.Context(), key)
		return err == nil && got.Generation == generation
	})
}

func TestTheMasterFailsOverDuringAClaim(t *testing.T) {
	trio := redistest.Sentinel(t)
	one, two := newReplica(t, trio, setup{timeout: 300 * time.Millisecond}), newReplica(t, trio, setup{timeout: 300 * time.Millisecond})
	key := storeKey("main")
	before := one.granted(t, key, "before", tokencache.History{})
	for round, change := range []func(testing.TB) *redistest.Server{trio.Failover, trio.KillMaster} {
		held := one.mustClaim(t, key)
		change(t)
		text := fmt.Sprint("round ", round)
		generation := grantEventually(t, held, text)
		held.Release()
		if generation <= before {
			t.Errorf("generation %d after %d", generation, before)
		}
		before = generation
		redistest.Eventually(t, "another replica sees it", func() bool {
			got, err := two.Load(t.Context(), key)
			return err == nil && got.Generation == generation && got.Token.Field.Reveal() == "Bearer "+text
		})
	}
}

// hammer claims, grants and loads until stop, as a fleet does, and reports the
// errors and whatever no fleet should see.
func hammer(t *testing.T, fleet []*replica, key tokencache.StoreKey, stop <-chan struct{}) (rounds *atomic.Int64, wait func()) {
	rounds = &atomic.Int64{}
	var holders atomic.Int64
	var last atomic.Uint64
	var wg sync.WaitGroup
	round := func(r *replica) error {
		claim, _, err := r.Claim(t.Context(), key)
		if err != nil || claim == nil {
			return err
		}
		defer claim.Release()
		if n := holders.Add(1); n > 1 {
			t.Errorf("%d hold the claim", n)
		}
		defer holders.Add(-1)
		generation, err := claim.Grant(t.Context(), aToken("t"), tokencache.History{Failures: 1})
		if err != nil {
			return err
		}
		if before := last.Swap(generation); generation <= before {
			t.Errorf("generation %d after %d", generation, before)
		}
		rounds.Add(1)
		return r.Accepted(t.Context(), key, generation)
	}
	for _, r := range fleet {
		for range 2 {
			wg.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					if err := round(r); err != nil {
						t.Error(err)
					}
					if _, err := r.Load(t.Context(), key); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	return rounds, wg.Wait
}

func TestScriptsAreFlushedAllTheTime(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		fleet := []*replica{newReplica(t, topology, setup{}), newReplica(t, topology, setup{})}
		stop := make(chan struct{})
		rounds, wait := hammer(t, fleet, storeKey("main"), stop)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for ctx.Err() == nil {
			<-tick.C
			topology.ScriptFlush(t)
		}
		close(stop)
		wait()
		if rounds.Load() < 10 {
			t.Errorf("%d rounds in a second", rounds.Load())
		}
	})
}
