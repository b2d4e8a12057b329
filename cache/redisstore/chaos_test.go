package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"iqgateway/cache"
	"iqgateway/internal/redistest"
)

// everything calls each method of both stores and returns what it got.
func (r *replica) everything(ctx context.Context) map[string]error {
	got := map[string]error{}
	_, got["Get"] = r.Get(ctx, "a")
	_, _, got["Claim"] = r.Claim(ctx, "a", time.Minute)
	_, got["Renew"] = r.Renew(ctx, "a", "x", time.Minute)
	got["Put"] = r.Put(ctx, "a", []byte("x"), time.Minute, "x")
	got["Release"] = r.Release(ctx, "a", "x", time.Minute)
	got["Delete"] = r.Delete(ctx, "a")
	_, got["Append"] = r.Append(ctx, []cache.Event{anEvent(1)})
	_, got["Since"] = r.Since(ctx, cache.Position{})
	return got
}

func TestWithoutAServerEverythingIsAwayAtOnce(t *testing.T) {
	for name, change := range map[string]struct{ end, mend func(s *redistest.Server) }{
		"frozen": {(*redistest.Server).Freeze, (*redistest.Server).Thaw},
		"killed": {(*redistest.Server).Kill, (*redistest.Server).Start},
	} {
		t.Run(name, func(t *testing.T) {
			server := redistest.Single(t)
			r := newReplica(t, server, setup{timeout: 100 * time.Millisecond})
			change.end(server) // before the replica has heard Redis' clock
			for round := range 3 {
				began := time.Now()
				for method, err := range r.everything(t.Context()) {
					if !errors.Is(err, cache.ErrAway) || strings.Contains(err.Error(), server.Address()) {
						t.Errorf("%s: %v", method, err)
					}
				}
				// Three failures in a row are enough to know.
				if took := time.Since(began); round > 0 && took > 100*time.Millisecond {
					t.Errorf("all methods took %v", took)
				}
			}
			change.mend(server)
			redistest.Eventually(t, "everything works again", func() bool {
				for _, err := range r.everything(t.Context()) {
					if err != nil {
						return false
					}
				}
				return true
			})
		})
	}
}

func TestWhoeverLeavesGetsBoth(t *testing.T) {
	r := newReplica(t, redistest.Single(t), setup{})
	r.mustGet(t, "a")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for method, err := range r.everything(ctx) {
		if !errors.Is(err, cache.ErrAway) || !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", method, err)
		}
	}
}

// frozenFor does something while the server stands still, and waits so long
// before it goes on.
func frozenFor(t *testing.T, server *redistest.Server, wait time.Duration, do func()) {
	t.Helper()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	server.Freeze()
	do()
	select {
	case <-timer.C:
	case <-t.Context().Done():
	}
	server.Thaw()
}

// What a frozen server executes late counts from when it was sent.
func TestLatePutsAreOld(t *testing.T) {
	server := redistest.Single(t)
	other := newReplica(t, server, setup{})
	brief := map[string]*replica{}
	for _, name := range []string{"a", "b"} { // with a connection each, which is open already
		brief[name] = newReplica(t, server, setup{timeout: 100 * time.Millisecond})
		brief[name].mustPut(t, name, "old", "")
	}
	const frozen = 600 * time.Millisecond
	frozenFor(t, server, frozen, func() {
		var calls sync.WaitGroup
		for name, ttl := range map[string]time.Duration{"a": time.Minute, "b": frozen - 100*time.Millisecond} {
			calls.Go(func() {
				if err := brief[name].Put(t.Context(), name, []byte("new"), ttl, ""); !errors.Is(err, cache.ErrAway) {
					t.Errorf("a frozen server answered: %v", err)
				}
			})
		}
		calls.Wait()
	})
	var e cache.Entry
	redistest.Eventually(t, "the put arrives late", func() bool { e = other.mustGet(t, "a"); return string(e.Value) == "new" })
	if e.Age < frozen-100*time.Millisecond {
		t.Errorf("it is taken for %v old, and was sent %v ago", e.Age, frozen)
	}
	redistest.Eventually(t, "what has ended meanwhile is not stored", func() bool {
		e := other.mustGet(t, "b")
		if string(e.Value) == "new" {
			t.Fatalf("it is stored, %v old", e.Age)
		}
		return e.Value == nil
	})
}

// Nobody waits for a claim that was made when its sender had given up.
func TestLateClaimsAreNone(t *testing.T) {
	server := redistest.Single(t)
	brief, sign := newReplica(t, server, setup{timeout: 100 * time.Millisecond}), newReplica(t, server, setup{timeout: 100 * time.Millisecond})
	other := newReplica(t, server, setup{})
	brief.mustClaim(t, "warm") // Redis knows the scripts
	sign.mustPut(t, "warm", "x", "")
	frozenFor(t, server, 1300*time.Millisecond, func() {
		var calls sync.WaitGroup
		calls.Go(func() {
			if _, ok, err := brief.Claim(t.Context(), "a", time.Minute); ok || !errors.Is(err, cache.ErrAway) {
				t.Errorf("a frozen server answered: %v", err)
			}
		})
		calls.Go(func() { // a sign that what was sent has been executed
			if err := sign.Put(t.Context(), "sign", []byte("x"), time.Minute, ""); err == nil {
				t.Error("a frozen server answered")
			}
		})
		calls.Wait()
	})
	redistest.Eventually(t, "the server is back", func() bool { return other.mustGet(t, "sign").Value != nil })
	other.mustClaim(t, "a")
}

// A claim whose answer was lost is found by the next call for its name.
func TestALostAnswerOfAClaim(t *testing.T) {
	for _, next := range []string{"Claim", "Put", "Release"} {
		t.Run(next, func(t *testing.T) {
			server := redistest.Single(t)
			brief, other := newReplica(t, server, setup{timeout: 100 * time.Millisecond}), newReplica(t, server, setup{})
			brief.mustPut(t, "warm", "x", "")
			brief.mustClaim(t, "warm")
			server.Freeze()
			if _, ok, err := brief.Claim(t.Context(), "a", time.Minute); ok || err == nil {
				t.Fatal("a frozen server answered")
			}
			server.Thaw()
			redistest.Eventually(t, "the claim arrives late", func() bool { return other.isClaimed(t, "a") })
			redistest.Eventually(t, "the next call arrives", func() bool {
				switch next {
				case "Claim":
					_, ok, err := brief.Claim(t.Context(), "a", time.Minute)
					return ok && err == nil
				case "Put":
					return brief.Put(t.Context(), "a", []byte("x"), time.Minute, "") == nil
				default:
					return brief.Release(t.Context(), "a", "", 0) == nil
				}
			})
			if claimed := other.isClaimed(t, "a"); claimed != (next == "Claim") {
				t.Errorf("claimed: %v", claimed)
			}
			if _, ok, err := brief.Claim(t.Context(), "a", time.Minute); err != nil || ok == (next == "Claim") {
				t.Errorf("a second claim: %v, %v", ok, err)
			}
		})
	}
}

func TestALostAnswerOfAnAppend(t *testing.T) {
	server := redistest.Single(t)
	brief, other := newReplica(t, server, setup{timeout: 100 * time.Millisecond}), newReplica(t, server, setup{})
	start := other.append(t, anEvent(1))
	server.Freeze()
	if _, err := brief.Append(t.Context(), []cache.Event{anEvent(2)}); !errors.Is(err, cache.ErrAway) {
		t.Fatalf("a frozen server answered: %v", err)
	}
	server.Thaw()
	redistest.Eventually(t, "it arrives late", func() bool { return len(other.since(t, start).Events) == 1 })
	var p cache.Position
	redistest.Eventually(t, "it is given again", func() bool {
		var err error
		p, err = brief.Append(t.Context(), []cache.Event{anEvent(2), anEvent(3)})
		return err == nil
	})
	if news := other.since(t, start); p.Seq != 3 || !slices.Equal(ids(news.Events), []uint64{2, 3}) {
		t.Errorf("%+v, %v", p, ids(news.Events))
	}
}

func TestAFullServerCanBeReadButNotHeard(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		one, two := newReplica(t, topology, setup{}), newReplica(t, topology, setup{})
		one.mustPut(t, "a", "old", "")
		token := one.mustClaim(t, "a")
		loose := one.mustClaim(t, "b")
		start := one.append(t, anEvent(1))
		for _, s := range topology.Servers() {
			s.SetMaxMemory(t, 1, "noeviction")
		}
		if e := two.mustGet(t, "a"); string(e.Value) != "old" || !e.Claimed {
			t.Errorf("%+v", e)
		}
		failures := map[string]error{
			"Put":     one.Put(t.Context(), "a", []byte("new"), time.Minute, token),
			"Release": one.Release(t.Context(), "b", loose, time.Minute),
		}
		_, _, failures["Claim"] = one.Claim(t.Context(), "c", time.Minute)
		_, failures["Append"] = one.Append(t.Context(), []cache.Event{anEvent(2)})
		_, failures["Since"] = two.Since(t.Context(), start)
		for method, err := range failures {
			if !errors.Is(err, cache.ErrAway) || !strings.Contains(err.Error(), "OOM") {
				t.Errorf("%s: %v", method, err)
			}
		}
		for _, name := range []string{"a", "b"} { // nobody waits for those who failed
			if e := two.mustGet(t, name); e.Claimed || e.Alone || name == "a" && string(e.Value) != "old" {
				t.Errorf("%s: %+v", name, e)
			}
		}
		for _, s := range topology.Servers() {
			s.SetMaxMemory(t, 0, "noeviction")
		}
		if news := two.since(t, start); len(news.Events) != 0 || news.Lost {
			t.Errorf("half a write happened: %+v", news)
		}
		if p := one.append(t, anEvent(2)); p.Seq != 2 || p.Log != start.Log {
			t.Errorf("the same event again: %+v", p)
		}
		topology.NoEternalKeys(t)
	})
}

func TestFlushedDuringAClaim(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		one, two := newReplica(t, topology, setup{}), newReplica(t, topology, setup{})
		token := one.mustClaim(t, "a")
		topology.FlushAll(t)
		if must[bool](t)(one.Renew(t.Context(), "a", token, time.Minute)) {
			t.Error("a claim that is gone was renewed")
		}
		newer := two.mustClaim(t, "a")
		one.mustPut(t, "a", "overtaken", token)
		if e := two.mustGet(t, "a"); !e.Claimed || string(e.Value) != "overtaken" {
			t.Errorf("%+v", e)
		}
		two.mustPut(t, "a", "newer", newer)
		if e := one.mustGet(t, "a"); e.Claimed || string(e.Value) != "newer" {
			t.Errorf("%+v", e)
		}
	})
}

// Whatever a failover keeps or loses, whoever reads the log knows.
func TestTheMasterFailsOver(t *testing.T) {
	trio := redistest.Sentinel(t)
	one, two := newReplica(t, trio, setup{timeout: 300 * time.Millisecond}), newReplica(t, trio, setup{timeout: 300 * time.Millisecond})
	next := uint64(1)
	var position cache.Position
	for round, change := range []func(testing.TB) *redistest.Server{trio.Failover, trio.KillMaster} {
		token := one.mustClaim(t, fmt.Sprint(round))
		redistest.Eventually(t, "two reads", func() bool {
			news, err := two.Since(t.Context(), position)
			position = news.Position
			return err == nil
		})
		event := anEvent(next)
		next++
		one.append(t, event)
		change(t)
		redistest.Eventually(t, "a value arrives", func() bool {
			return one.Put(t.Context(), fmt.Sprint(round), []byte("x"), time.Minute, token) == nil
		})
		redistest.Eventually(t, "another replica has both", func() bool {
			e, err := two.Get(t.Context(), fmt.Sprint(round))
			if err != nil || string(e.Value) != "x" || e.Claimed {
				return false
			}
			news, err := two.Since(t.Context(), position)
			if err == nil && (news.Lost || len(news.Events) != 1 || news.Events[0].ID != event.ID) {
				t.Errorf("round %d: %+v", round, news)
			}
			return err == nil
		})
	}
}

// An event that only the dead master had is noticed by who appended it, and
// then by all.
func TestTheDeadMasterTakesAnEventWithIt(t *testing.T) {
	trio := redistest.Sentinel(t)
	one, two := newReplica(t, trio, setup{timeout: 300 * time.Millisecond}), newReplica(t, trio, setup{timeout: 300 * time.Millisecond})
	old := one.append(t, anEvent(1))
	trio.Settle(t)
	master := trio.Master()
	for _, s := range trio.Servers() {
		if s != master {
			s.Freeze()
		}
	}
	master.CLI(t, "CLIENT", "KILL", "TYPE", "replica") // what they have not been sent never reaches them
	lost := one.append(t, anEvent(2))
	if lost.Seq != 2 {
		t.Fatalf("%+v", lost)
	}
	master.Kill()
	for _, s := range trio.Servers() {
		if s != master {
			s.Thaw()
		}
	}
	var mine, theirs cache.News
	redistest.Eventually(t, "another master answers", func() bool {
		var err error
		mine, err = one.Since(t.Context(), lost)
		return err == nil
	})
	redistest.Eventually(t, "and the other replica", func() bool {
		var err error
		theirs, err = two.Since(t.Context(), old)
		return err == nil
	})
	for who, news := range map[string]cache.News{"the sender": mine, "the other": theirs} {
		if !news.Lost || news.Position.Log == old.Log {
			t.Errorf("%s: %+v", who, news)
		}
	}
}

// One replica at a time holds a claim, whatever happens to the scripts.
func TestClaimsRaceWhileScriptsAreFlushed(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		fleet := []*replica{newReplica(t, topology, setup{}), newReplica(t, topology, setup{})}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var holders, rounds, ids atomic.Int64
		var racing sync.WaitGroup
		round := func(r *replica) error {
			token, ok, err := r.Claim(t.Context(), "a", time.Minute)
			if err != nil || !ok {
				return err
			}
			if n := holders.Add(1); n > 1 {
				t.Errorf("%d hold the claim", n)
			}
			defer rounds.Add(1)
			if _, err = r.Append(t.Context(), []cache.Event{anEvent(uint64(ids.Add(1)))}); err != nil {
				return err
			}
			holders.Add(-1)
			return r.Put(t.Context(), "a", []byte("x"), time.Minute, token)
		}
		for _, r := range fleet {
			for range 3 {
				racing.Go(func() {
					for ctx.Err() == nil {
						if err := round(r); err != nil {
							t.Error(err)
						}
					}
				})
			}
		}
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			<-tick.C
			topology.ScriptFlush(t)
		}
		racing.Wait()
		news := fleet[0].since(t, cache.Position{})
		if rounds.Load() < 10 || news.Position.Seq != uint64(ids.Load()) {
			t.Errorf("%d rounds; %d events, %d in the log", rounds.Load(), ids.Load(), news.Position.Seq)
		}
	})
}
