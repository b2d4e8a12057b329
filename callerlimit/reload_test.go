package callerlimit_test

import (
	"testing"
	"testing/synctest"
	"time"

	"iqgateway/callerlimit"
	"iqgateway/callerlimit/storetest"
)

// stores are with and without a store.
func stores() map[string]func() callerlimit.Store {
	return map[string]func() callerlimit.Store{
		"alone":          func() callerlimit.Store { return nil },
		"a fleet of one": func() callerlimit.Store { return storetest.NewMemory(nil) },
	}
}

// A generation that changes nothing keeps what is counted, a new limit counts at
// once.
func TestReload(t *testing.T) {
	for name, store := range stores() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				limit := callerlimit.Limit{Tokens: 1, Per: time.Hour, Burst: 10, Concurrency: 2}
				r := newAlone(t, store(), limit)
				held(t, r, 2)
				r.use(limit)
				if n := held(t, r, 1); n != 0 {
					t.Error("what the old generation serves does not count")
				}
				limit.Concurrency = 20
				r.use(limit)
				synctest.Wait()
				if n := held(t, r, 18); n != 8 { // 10 tokens, 2 of which are spent
					t.Errorf("%d admitted", n)
				}
				limit.Tokens, limit.Per = 10, time.Second
				r.use(limit)
				pass(2 * time.Second)
				limit.Burst = 3
				r.use(limit)
				if n := held(t, r, 10); n != 3 {
					t.Errorf("%d admitted with a smaller burst", n)
				}
				r.use(callerlimit.Limit{Concurrency: 14})
				if n := held(t, r, 10); n != 1 {
					t.Errorf("%d admitted without a rate", n)
				}
				end(r)
				r.close(t)
			})
		})
	}
}

// No replica admits more than its part of less.
func TestReloadWithLessConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 3, callerlimit.Limit{Concurrency: 90})
		for range 40 {
			for _, r := range f.all {
				held(t, r, 10)
			}
			pass(50 * time.Millisecond)
		}
		if n := f.inside(); n < 80 {
			t.Fatalf("%d under way", n)
		}
		for _, r := range f.all {
			end(r)
		}
		for _, r := range f.all {
			r.use(callerlimit.Limit{Concurrency: 6})
		}
		most := 0
		for range 100 {
			for _, r := range f.all {
				held(t, r, 10)
			}
			most = max(most, f.inside())
			pass(20 * time.Millisecond)
		}
		if most != 6 {
			t.Errorf("%d under way", most)
		}
		for _, r := range f.all {
			end(r)
		}
		f.close(t)
	})
}

// A bound that comes to a caller under way refuses none of what it admits.
func TestReloadAddsABound(t *testing.T) {
	both := callerlimit.Limit{Tokens: 10_000, Per: time.Second, Burst: 1000, Concurrency: 50}
	for name, before := range map[string]callerlimit.Limit{
		"concurrency": {Tokens: both.Tokens, Per: both.Per, Burst: both.Burst},
		"rate":        {Concurrency: both.Concurrency},
	} {
		t.Run(name, func(t *testing.T) {
			for _, replicas := range []int{1, 3} {
				synctest.Test(t, func(t *testing.T) {
					f := newFleet(t, replicas, before)
					one := f.all[0]
					for range 40 { // so many that trips are made
						held(t, one, 12)
						pass(5 * time.Millisecond)
						end(one)
					}
					one.refused = nil
					one.use(both)
					hammer(t, f.all[:1], 50, 2*time.Second)
					if len(one.refused) > 0 {
						t.Errorf("of %d replicas: %d refused, %v", replicas, len(one.refused), one.refused[0])
					}
					f.close(t)
				})
			}
		})
	}
}

// The limits of a generation that is never used change nothing.
func TestRefusedGeneration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newAlone(t, nil, callerlimit.Limit{Concurrency: 10})
		refused := r.limits.Use(map[string]callerlimit.Limit{shop: {Concurrency: 1}, "new": {Concurrency: 1}})
		if n := held(t, r, 5); n != 5 {
			t.Errorf("%d admitted while it is being built", n)
		}
		refused.Release()
		if n := held(t, r, 10); n != 5 {
			t.Errorf("%d admitted after it was refused", n)
		}
		end(r)
		r.close(t)
	})
}

// A limit that goes and comes back at once brings no new burst.
func TestLimitThatComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit := callerlimit.Limit{Tokens: 1, Per: time.Hour, Burst: 300}
		f := newFleet(t, 3, limit)
		r := f.all[0]
		for range 6 {
			hammer(t, f.all[:1], 300, 2*time.Second)
			r.set.Release()
			r.set = nil
			if left := r.limits.State(); len(left) != 0 {
				t.Errorf("released, but shown: %+v", left)
			}
			r.use(limit)
		}
		if n := len(r.admitted); n != 200 {
			t.Errorf("%d admitted, 200 are all but what the others keep", n)
		}
		f.close(t)
	})
}
