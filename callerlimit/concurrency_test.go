package callerlimit_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"iqgateway/callerlimit"
	"iqgateway/callerlimit/storetest"
)

// held begins requests that last until the replica's hold is closed, and returns
// how many were admitted.
func held(t *testing.T, r *replica, n int) int {
	t.Helper()
	before := inside(r)
	for range n {
		go r.call(t, "/hold")
	}
	synctest.Wait()
	return inside(r) - before
}

func inside(r *replica) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.inside
}

// end lets the requests of a replica end.
func end(r *replica) {
	close(r.hold)
	synctest.Wait()
	r.hold = make(chan struct{})
}

func TestSlotsGoWhereTheyAreNeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 3, callerlimit.Limit{Concurrency: 90})
		one, two := f.all[0], f.all[1]
		if n := held(t, one, 100); n != 15 { // what a replica keeps at rest
			t.Errorf("%d at first", n)
		}
		for range 40 { // the others are at rest, and keep 15 each
			pass(50 * time.Millisecond)
			held(t, one, 10)
		}
		if inside(one) != 60 {
			t.Errorf("%d on one replica", inside(one))
		}
		for range 40 {
			pass(50 * time.Millisecond)
			held(t, two, 10)
		}
		if inside(two) != 15 {
			t.Errorf("%d on the other, while the first has 60", inside(two))
		}
		end(one)
		for range 40 {
			pass(50 * time.Millisecond)
			held(t, two, 10)
		}
		if inside(two) < 37 || f.inside() > 90 {
			t.Errorf("%d on the other, %d altogether, after the first has ended", inside(two), f.inside())
		}
		end(two)
		f.close(t)
	})
}

// They come back once the store has not heard of it for some time, and not
// before.
func TestSlotsOfADeadReplicaComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 2, callerlimit.Limit{Concurrency: 40})
		one, two := f.all[0], f.all[1]
		for range 20 {
			held(t, one, 10)
			pass(50 * time.Millisecond)
		}
		dead := inside(one)
		f.store.set(func(d *disturbed) { d.away = true }) // for the one: the other does nothing yet
		end(one)
		_ = one.limits.Close(t.Context())
		f.store.set(func(d *disturbed) { d.away = false })
		died := time.Now()
		for time.Since(died) < callerlimit.Silence-3*time.Second/2 { // it told of itself a second before at most
			held(t, two, 10)
			pass(50 * time.Millisecond)
		}
		if dead != 30 || inside(two) != 10 {
			t.Errorf("%d of the dead, %d of the other while it may be alive", dead, inside(two))
		}
		f.size.Store(1)
		for time.Since(died) < callerlimit.Silence+time.Second {
			held(t, two, 10)
			pass(50 * time.Millisecond)
		}
		if inside(two) != 40 {
			t.Errorf("%d of the other", inside(two))
		}
		end(two)
		f.all = f.all[1:]
		f.close(t)
	})
}

func TestCallersMeetTheirOwnLimit(t *testing.T) {
	for name, store := range map[string]callerlimit.Store{"alone": nil, "a fleet of one": storetest.NewMemory(nil)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newAlone(t, store, callerlimit.Limit{Concurrency: 2})
				if held(t, r, 5) != 2 || len(r.refused) != 3 {
					t.Fatalf("%d under way, %d refused", inside(r), len(r.refused))
				}
				if p := r.refused[0]; p.Status() != http.StatusTooManyRequests || p.RetryAfter != time.Second || p.Extra["limit"] != 2 {
					t.Errorf("refused with %+v", p)
				}
				if code := callAs(t, r.stage, nil, "/"); code != http.StatusOK {
					t.Errorf("nobody: %d", code)
				}
				end(r)
				for range 3 { // panics give their slots back, too
					panics(t, r)
				}
				if s := r.limits.State(); len(s) != 1 || s[0].InFlight != 0 || s[0].Caller != shop || s[0].Slots != 2 {
					t.Errorf("state %+v", s)
				}
				r.close(t)
			})
		})
	}
}

func panics(t *testing.T, r *replica) {
	t.Helper()
	defer func() {
		if value := recover(); value != any(http.ErrAbortHandler) {
			t.Errorf("recovered %v", value)
		}
	}()
	r.during(t, func() { panic(http.ErrAbortHandler) })
}
