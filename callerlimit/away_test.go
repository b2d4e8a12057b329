package callerlimit_test

import (
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
		r.use(hundred)
		for range 3 {
			if code := r.call(t, "/"); code != http.StatusOK {
				t.Errorf("status %d", code)
			}
			synctest.Wait()
		}
		if told != 3 {
			t.Errorf("told %d times", told)
		}
		r.close(t)
	})
}

// What a replica that ends has held is there for the others at once.
func TestCloseGivesBack(t *testing.T) {
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
		if err := one.limits.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if one.call(t, "/") == 0 {
			t.Error("no decision after the end")
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
}
