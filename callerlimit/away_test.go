package callerlimit_test

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"iqgateway/callerlimit"
)

// Without the store each replica admits its part, and with it again the whole
// fleet its rate.
func TestLocalShareWhileTheStoreIsAway(t *testing.T) {
	for name, fault := range map[string]func(*disturbed){
		"refuses": func(d *disturbed) { d.away = true },
		"hangs":   func(d *disturbed) { d.hangs = true },
		"is slow": func(d *disturbed) { d.latency = 900 * time.Millisecond },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, 4, hundred)
				hammer(t, f.all, 300, 5*time.Second)
				f.store.set(fault)
				pass(time.Second)
				hammer(t, f.all, 300, 5*time.Second)
				from := time.Now()
				hammer(t, f.all[:1], 100, 10*time.Second)
				one := f.admitted(from)
				if one < 200 || one > 500 && name != "is slow" {
					t.Errorf("one replica of four admitted %d in 10 s, 250 are its part", one)
				}
				from = time.Now()
				hammer(t, f.all, 400, 10*time.Second)
				if all := f.admitted(from); all < 900 || all > 1250 {
					t.Errorf("all admitted %d in 10 s, 1000 are the rate", all)
				}
				f.store.set(func(d *disturbed) { d.away, d.hangs, d.latency = false, false, time.Millisecond })
				hammer(t, f.all, 300, 5*time.Second)
				from = time.Now()
				hammer(t, f.all, 300, 10*time.Second)
				if all := f.admitted(from); all < 950 || all > 1050 {
					t.Errorf("afterwards %d in 10 s", all)
				}
				f.close(t)
			})
		})
	}
}

// However slow its rate, a caller has it while the store is away.
func TestSlowRatesWhileTheStoreIsAway(t *testing.T) {
	for _, replicas := range []int{1, 3} {
		for _, rate := range []int{1, 3, 10, 50} {
			t.Run(fmt.Sprintf("%d a second on %d", rate, replicas), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := newFleet(t, replicas, callerlimit.Limit{Tokens: rate, Per: time.Second, Burst: max(rate, 6)})
					f.store.set(func(d *disturbed) { d.away = true })
					hammer(t, f.all, 30*replicas, 10*time.Second)
					from := time.Now()
					offered := 2*rate + 7*replicas
					hammer(t, f.all, offered, 30*time.Second)
					if got, want := f.admitted(from), 30*rate; 10*got < 9*want || 10*got > 11*want+10*replicas {
						t.Errorf("%d admitted in 30 s, %d are the rate", got, want)
					}
					f.store.set(func(d *disturbed) { d.away = false })
					f.close(t)
				})
			})
		}
	}
}

// A store that was never there costs nobody a request, and few trips.
func TestStoreThatWasNeverThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 1, callerlimit.Limit{Tokens: 100, Per: time.Second, Burst: 100, Concurrency: 50})
		f.store.away = true
		hammer(t, f.all, 90, 10*time.Second)
		if len(f.all[0].refused) > 0 || f.store.count() > 45 {
			t.Errorf("%d refused, %d trips", len(f.all[0].refused), f.store.count())
		}
		if s := f.all[0].limits.State(); s[0].Shared || s[0].Slots != 50 {
			t.Errorf("state %+v", s)
		}
		f.close(t)
	})
}

// A store that panics has failed, and is asked again.
func TestStoreThatPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := 0
		limits := callerlimit.New(callerlimit.Options{Store: broken{}, Replica: "one", Hooks: callerlimit.Hooks{
			Panicked: func(caller string, value any, stack []byte) {
				if caller != shop || value != "broken" || len(stack) == 0 {
					t.Errorf("%s: %v", caller, value)
				}
				told++
			},
		}})
		r := &replica{limits: limits}
		r.use(callerlimit.Limit{Tokens: 1, Per: time.Second, Burst: 1})
		for range 3 {
			if code := r.call(t, "/"); code != http.StatusOK {
				t.Errorf("status %d", code)
			}
			pass(time.Second)
			synctest.Wait()
		}
		if told != 3 {
			t.Errorf("told %d times", told)
		}
		r.close(t)
	})
}

// What a replica that ends has held is there for the others at once, also when
// nothing uses its callers any more.
func TestCloseGivesBack(t *testing.T) {
	for name, before := range map[string]func(*replica){
		"while in use":  func(*replica) {},
		"when released": func(r *replica) { r.set.Release() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, 3, callerlimit.Limit{Tokens: 1, Per: time.Hour, Burst: 120, Concurrency: 60})
				one, two := f.all[0], f.all[1]
				for range 20 {
					held(t, one, 10)
					pass(20 * time.Millisecond)
				}
				end(one)
				if n := len(one.admitted); n != 40 {
					t.Errorf("%d admitted of the one", n)
				}
				before(one)
				if err := one.limits.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
				trips := f.store.count()
				if code := one.call(t, "/"); code != http.StatusTooManyRequests || f.store.count() != trips {
					t.Errorf("%d after everything was given back, %d trips", code, f.store.count()-trips)
				}
				for range 5 {
					held(t, two, 60)
					pass(50 * time.Millisecond)
				}
				if n := inside(two); n != 40 {
					t.Errorf("%d admitted of the other, 40 are for it", n)
				}
				end(two)
				f.all = f.all[1:]
				f.close(t)
			})
		})
	}
}
