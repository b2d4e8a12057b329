package breaker

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// flaky is a store with troubles of its own.
type flaky struct {
	Memory

	hangs, fails, panics atomic.Bool
	claims               atomic.Int64
}

var errAway = errors.New("the store is away")

func (f *flaky) trouble(ctx context.Context) error {
	switch {
	case f.panics.Load():
		panic("the store's")
	case f.hangs.Load():
		<-ctx.Done()
		return ctx.Err()
	case f.fails.Load():
		return errAway
	}
	return nil
}

func (f *flaky) Load(ctx context.Context, names []string) (map[string]Record, error) {
	if err := f.trouble(ctx); err != nil {
		return nil, err
	}
	return f.Memory.Load(ctx, names)
}

func (f *flaky) Apply(ctx context.Context, name string, c Change) (Record, error) {
	if err := f.trouble(ctx); err != nil {
		return Record{}, err
	}
	return f.Memory.Apply(ctx, name, c)
}

func (f *flaky) Claim(ctx context.Context, name string, p Probe) (bool, Record, error) {
	f.claims.Add(1)
	if err := f.trouble(ctx); err != nil {
		return false, Record{}, err
	}
	return f.Memory.Claim(ctx, name, p)
}

// fleetOf runs a test of three replicas in a bubble.
func fleetOf(t *testing.T, u Upstream, f func(store *flaky, a, b, c *replica)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		store := &flaky{}
		f(store, newReplica(t, "a", store, u), newReplica(t, "b", store, u), newReplica(t, "c", store, u))
	})
}

func TestTheFleetHearsOfAnOpenBreaker(t *testing.T) {
	u := usual()
	u.Settings.OpenFor = 5 * time.Second
	fleetOf(t, u, func(_ *flaky, a, b, c *replica) {
		a.become(always(500))
		a.many(20, "/")
		b.passes() // not yet
		rest(pollEvery)
		for _, r := range []*replica{b, c} {
			r.is(Open)
			s := r.List()[0]
			if own := a.List()[0]; s.By != "a" || s.OpenFor > own.OpenFor+time.Second/20 || s.OpenFor < own.OpenFor-time.Second/20 {
				t.Errorf("%+v, a's is open for %s", s, own.OpenFor)
			}
			if p := r.refused(); !strings.Contains(p.Detail, "other replicas") {
				t.Error(p.Detail)
			}
		}
	})
}

// In the whole fleet one probe runs, and its success closes the breaker
// everywhere.
func TestTheFleetProbesOnce(t *testing.T) {
	fleetOf(t, usual(), func(_ *flaky, a, b, c *replica) {
		a.sick()
		replicas := []*replica{a, b, c}
		before := 0
		for _, r := range replicas {
			r.become(slow(10*time.Second, 200)) // longer than a claim lives
			before += r.count()
		}
		var group sync.WaitGroup
		for range 50 {
			for _, r := range replicas {
				group.Go(func() { _, _ = r.send("/") })
			}
			rest(50 * time.Millisecond)
		}
		rest(5 * time.Second)
		after := 0
		for _, r := range replicas {
			after += r.count()
			r.refuses()
		}
		if after-before != 1 {
			t.Errorf("%d probes ran", after-before)
		}
		group.Wait()
		rest(pollEvery)
		for _, r := range replicas {
			r.become(always(200))
			r.is(Closed)
			r.passes()
		}
	})
}

// A probe that fails keeps the breaker open everywhere, for twice as long.
func TestTheFleetCountsDoublingsTogether(t *testing.T) {
	fleetOf(t, usual(), func(_ *flaky, a, b, c *replica) {
		replicas := []*replica{a, b, c}
		for _, r := range replicas {
			r.become(always(500))
		}
		a.many(20, "/")
		rest(pollEvery)
		probes := -a.count()
		for range 15 * 100 { // 1 + 2 + 4 + 8 s
			for _, r := range replicas {
				r.many(1, "/")
			}
			rest(10 * time.Millisecond)
		}
		for _, r := range replicas {
			probes += r.count()
		}
		if probes < 3 || probes > 5 {
			t.Errorf("%d probes in 15 s", probes)
		}
	})
}

func TestACancelledProbeGoesBackToTheFleet(t *testing.T) {
	fleetOf(t, usual(), func(_ *flaky, a, b, _ *replica) {
		a.sick()
		rest(pollEvery)
		a.become(slow(time.Hour, 200))
		ctx, cancel := context.WithCancel(a.Context())
		req, _ := request(ctx, "/")
		var group sync.WaitGroup
		group.Go(func() {
			if resp, err := a.stack.RoundTrip(req); err == nil {
				_ = resp.Body.Close()
			}
		})
		rest(time.Second)
		b.refuses()
		cancel()
		group.Wait()
		rest(2 * claimPause)
		b.passes()
		b.is(Closed)
	})
}

// A replica that dies takes its claim along, for as long as it lives.
func TestTheClaimOfADeadReplicaEnds(t *testing.T) {
	fleetOf(t, usual(), func(store *flaky, a, b, _ *replica) {
		a.sick()
		rest(pollEvery)
		granted, _, err := store.Memory.Claim(a.Context(), a.find(key()).stateName, Probe{ID: "dead", Limit: 1, TTL: claimLife})
		if !granted || err != nil {
			t.Fatal(granted, err)
		}
		b.refuses()
		rest(claimLife - time.Second)
		b.refuses()
		rest(time.Second + claimPause)
		b.passes()
	})
}

// Whatever the store does, requests wait for it 50 ms at most, and each replica
// goes on alone.
func TestAStoreInTrouble(t *testing.T) {
	troubles := map[string]func(*flaky) *atomic.Bool{
		"hangs":  func(f *flaky) *atomic.Bool { return &f.hangs },
		"fails":  func(f *flaky) *atomic.Bool { return &f.fails },
		"panics": func(f *flaky) *atomic.Bool { return &f.panics },
	}
	for name, trouble := range troubles {
		t.Run(name, func(t *testing.T) {
			fleetOf(t, usual(), func(store *flaky, a, b, _ *replica) {
				trouble(store).Store(true)
				rest(2 * pollEvery)
				for _, r := range []*replica{a, b} {
					r.become(always(500))
					began := time.Now()
					r.many(20, "/")
					r.refuses()
					if d := time.Since(began); d > 0 {
						t.Errorf("requests waited %s", d)
					}
					rest(r.List()[0].OpenFor)
					r.become(always(200))
					began = time.Now()
					r.passes() // each has its probe
					if d := time.Since(began); d > claimWait {
						t.Errorf("a probe waited %s", d)
					}
					r.is(Closed)
				}
				trouble(store).Store(false)
				rest(4 * time.Second)
				if got := a.noted(); !strings.Contains(got, "store "+map[string]string{"hangs": "context deadline exceeded", "fails": errAway.Error(), "panics": errPanicked.Error()}[name]) || !strings.HasSuffix(got, "store <nil>") {
					t.Error(got)
				}
				a.is(Closed)
				b.become(always(500))
				b.many(20, "/")
				rest(pollEvery)
				a.is(Open) // they are together again
			})
		})
	}
}

// cutOff is one replica's way to the store.
type cutOff struct {
	Store

	away atomic.Bool
}

func (c *cutOff) Load(ctx context.Context, names []string) (map[string]Record, error) {
	if c.away.Load() {
		return nil, errAway
	}
	return c.Store.Load(ctx, names)
}

func (c *cutOff) Apply(ctx context.Context, name string, change Change) (Record, error) {
	if c.away.Load() {
		return Record{}, errAway
	}
	return c.Store.Apply(ctx, name, change)
}

// Whoever can write to the store cannot take a service away for longer than its
// settings say, per write.
func TestHintsAreBounded(t *testing.T) {
	fleetOf(t, usual(), func(store *flaky, a, _, _ *replica) {
		_, err := store.Memory.Apply(a.Context(), a.find(key()).stateName, Change{State: Open, For: 1000 * time.Hour, Step: 1 << 40, By: "x"})
		if err != nil {
			t.Fatal(err)
		}
		rest(pollEvery)
		if left := a.List()[0].OpenFor; left > 30*time.Second {
			t.Errorf("open for %s", left)
		}
	})
}

func TestThrottleBreakersAreShared(t *testing.T) {
	fleetOf(t, usual(), func(_ *flaky, a, b, _ *replica) {
		b.passes()
		a.become(always(429))
		a.many(3, "/")
		rest(pollEvery)
		if s, _ := throttled429(b); s.State != Open || s.Reason != ReasonThrottled {
			t.Errorf("%+v", s)
		}
		b.refuses()
	})
}

// Another origin is another upstream: what replicas with an older
// configuration see is not about it.
func TestReplicasOfAnotherOriginDoNotHear(t *testing.T) {
	fleetOf(t, usual(), func(_ *flaky, a, b, _ *replica) {
		u := usual()
		u.Origin = "https://other.example"
		b.use(u)
		a.become(always(500))
		a.many(20, "/")
		rest(2 * pollEvery)
		b.is(Closed)
	})
}

func TestCloseGivesProbesBack(t *testing.T) {
	fleetOf(t, usual(), func(_ *flaky, a, b, _ *replica) {
		a.sick()
		rest(pollEvery)
		a.become(slow(time.Minute, 200))
		var group sync.WaitGroup
		group.Go(func() { _, _ = a.send("/") })
		rest(time.Second)
		b.refuses()
		rest(claimPause)
		if err := a.Close(a.Context()); err != nil {
			t.Fatal(err)
		}
		b.passes()
		group.Wait()
	})
}
