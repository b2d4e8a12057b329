package tokencache_test

import (
	"net/http"
	"testing"
	"time"

	"iqgateway/internal/exchange"
	"iqgateway/tokencache"
	"iqgateway/tokencache/storetest"
)

// Three gateways with 500 callers each, an endpoint that takes two seconds:
// one call at the start, one at each expiry.
func TestOneCallForTheFleet(t *testing.T) {
	endpoint := &accounts{delay: 2 * time.Second}
	inFleet(t, endpoint, nil, func(t *testing.T, _ *fleet, r [3]*replica) {
		for expiry := range 3 {
			used, longest := herd(t, 500, r[:]...)
			if len(used) != 1 || endpoint.count() != expiry+1 {
				t.Errorf("tokens %v after %d calls", used, endpoint.count())
			}
			if longest > 2100*time.Millisecond {
				t.Errorf("a caller waited %s", longest)
			}
			pass(13 * time.Hour)
		}
	})
}

// A store that fails for a moment costs no token call: a busy machine is not an
// outage.
func TestPatienceWithTheStore(t *testing.T) {
	endpoint := &accounts{}
	inFleet(t, endpoint, nil, func(t *testing.T, _ *fleet, r [3]*replica) {
		r[0].wantToken(t, "t1")
		r[1].store.SetAway(true)
		time.AfterFunc(200*time.Millisecond, func() { r[1].store.SetAway(false) })
		r[1].wantToken(t, "t1")
		if endpoint.count() != 1 || r[1].hooks.of("store failed: claim") == 0 {
			t.Errorf("%d calls", endpoint.count())
		}
	})
}

// Without a reachable store every gateway goes on alone, after 300 ms in which
// the store may come back.
func TestAloneWithoutTheStore(t *testing.T) {
	for name, cut := range map[string]func(*storetest.Replica){
		"away":   func(s *storetest.Replica) { s.SetAway(true) },
		"frozen": func(s *storetest.Replica) { s.SetFrozen(true) },
	} {
		t.Run(name, func(t *testing.T) {
			endpoint := &accounts{delay: 2 * time.Second}
			inFleet(t, endpoint, nil, func(t *testing.T, _ *fleet, r [3]*replica) {
				for _, one := range r {
					cut(one.store)
				}
				_, longest := herd(t, 100, r[:]...)
				if endpoint.count() != 3 || longest > 2400*time.Millisecond {
					t.Errorf("%d calls, longest wait %s", endpoint.count(), longest)
				}
				if got := r[0].status(); got.Shared || got.State != tokencache.StateValid || got.Holder != "gw-0" {
					t.Errorf("status %+v", got)
				}
				// When it is back, the token of one of them becomes the fleet's.
				for _, one := range r {
					one.store.SetAway(false)
				}
				pass(time.Minute)
				if used, _ := herd(t, 10, r[:]...); len(used) != 1 || endpoint.count() != 3 {
					t.Errorf("tokens %v after %d calls", used, endpoint.count())
				}
				if got := r[0].status(); !got.Shared || r[0].hooks.of("store failed: claim") == 0 {
					t.Errorf("status %+v", got)
				}
			})
		})
	}
}

// The holder of the claim dies in its call: another one calls once its claim
// has run out, and callers of the others only wait longer.
func TestHolderIsKilled(t *testing.T) {
	endpoint := &accounts{delay: 2 * time.Second}
	inFleet(t, endpoint, nil, func(t *testing.T, _ *fleet, r [3]*replica) {
		go func() { _, _ = r[0].send(t.Context()) }()
		pass(time.Second)
		r[0].store.SetAway(true)
		r[0].cache.Close()
		used, longest := herd(t, 100, r[1], r[2])
		if len(used) != 1 || endpoint.count() != 2 || longest > storetest.LockTTL+2100*time.Millisecond {
			t.Errorf("tokens %v after %d calls and %s", used, endpoint.count(), longest)
		}
	})
}

// The holder is shut down in its call, as in a rolling restart: another one
// takes over at once, and nobody hears of a failure.
func TestHolderShutsDown(t *testing.T) {
	endpoint := &accounts{delay: 2 * time.Second}
	inFleet(t, endpoint, nil, func(t *testing.T, _ *fleet, r [3]*replica) {
		go func() { _, _ = r[0].send(t.Context()) }()
		pass(time.Second)
		time.AfterFunc(time.Second/2, r[0].cache.Close)
		used, longest := herd(t, 100, r[1], r[2])
		if len(used) != 1 || endpoint.count() != 2 || longest > 2600*time.Millisecond {
			t.Errorf("tokens %v after %d calls and %s", used, endpoint.count(), longest)
		}
	})
}

// The holder is frozen in its call for longer than its claim lives. When it
// wakes up with a token of its own, it takes the fleet's.
func TestHolderIsFrozen(t *testing.T) {
	endpoint := &accounts{delay: 8 * time.Second}
	inFleet(t, endpoint, nil, func(t *testing.T, f *fleet, r [3]*replica) {
		go func() { _, _ = r[0].send(t.Context()) }()
		pass(time.Second)
		f.memory.Lose(f.storeKey(t))
		go func() { _, _ = r[1].send(t.Context()) }()
		pass(7*time.Second + 100*time.Millisecond)
		r[0].wantToken(t, "t1") // its own: it has no other yet
		pass(10 * time.Second)
		if r[0].hooks.of("claim lost") != 1 {
			t.Error("the loss of the claim was not told")
		}
		used, _ := herd(t, 10, r[:]...)
		if used["t2"] != 30 || endpoint.count() != 2 {
			t.Errorf("tokens %v after %d calls", used, endpoint.count())
		}
		if got := r[0].status(); got.Holder != "gw-1" || !got.Shared {
			t.Errorf("status %+v", got)
		}
	})
}

// The holder loses the store between the answer and the sharing of it. It uses
// the token, never asks for a second one, and shares the one that it has.
func TestStoreLostAfterTheAnswer(t *testing.T) {
	for name, back := range map[string]time.Duration{"for a moment": time.Second, "for long": 10 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			endpoint := &accounts{delay: 2 * time.Second}
			inFleet(t, endpoint, nil, func(t *testing.T, _ *fleet, r [3]*replica) {
				r[0].store.AwayAfter(1) // the claim goes through
				r[0].wantToken(t, "t1")
				pass(back)
				r[0].wantToken(t, "t1")
				r[0].store.SetAway(false)
				pass(10 * time.Second)
				used, longest := herd(t, 10, r[:]...)
				if used["t1"] != 30 || endpoint.count() != 1 || longest > 100*time.Millisecond {
					t.Errorf("tokens %v after %d calls, %s", used, endpoint.count(), longest)
				}
			})
		})
	}
}

// The answer to Grant is lost, though the store has taken the token: it is
// recognised as our own.
func TestAmbiguousGrant(t *testing.T) {
	endpoint := &accounts{}
	var lossy *lossyStore
	change := func(o *tokencache.Options, _ *tokencache.Credential) {
		if o.Replica == "gw-0" {
			lossy = &lossyStore{Replica: o.Store.(*storetest.Replica)}
			o.Store = lossy
		}
	}
	inFleet(t, endpoint, change, func(t *testing.T, _ *fleet, r [3]*replica) {
		r[0].wantToken(t, "t1")
		pass(time.Minute)
		if got := r[0].status(); got.Shared {
			t.Errorf("status %+v", got)
		}
		lossy.SetAway(false)
		pass(10 * time.Second)
		if got := r[0].status(); !got.Shared || got.Generation != 1 || lossy.grants != 1 || r[0].hooks.of("adopted") != 0 {
			t.Errorf("status %+v after %d grants", got, lossy.grants)
		}
		r[1].wantToken(t, "t1")
	})
}

// What another replica has renewed is taken over when it is this one's turn.
func TestRenewalOfAnotherReplicaIsAdopted(t *testing.T) {
	endpoint := &accounts{}
	inFleet(t, endpoint, nil, func(t *testing.T, _ *fleet, r [3]*replica) {
		herd(t, 1, r[:]...)
		pass(11*time.Hour + 51*time.Minute)
		for range 3 {
			herd(t, 5, r[:]...)
			pass(time.Second)
		}
		used, _ := herd(t, 5, r[:]...)
		if used["t2"] != 15 || endpoint.count() != 2 {
			t.Errorf("tokens %v after %d calls", used, endpoint.count())
		}
		adopted, granted := 0, 0
		for _, one := range r {
			adopted += one.hooks.of("adopted")
			granted += one.hooks.of("granted")
		}
		if adopted != 4 || granted != 2 {
			t.Errorf("%d adopted, %d granted", adopted, granted)
		}
	})
}

// Replicas do not renew in the same moment.
func TestRenewalsAreSpread(t *testing.T) {
	inFleet(t, &accounts{}, nil, func(t *testing.T, _ *fleet, r [3]*replica) {
		herd(t, 1, r[:]...)
		a, b, c := r[0].status(), r[1].status(), r[2].status()
		if a.Refresh.Equal(b.Refresh) || b.Refresh.Equal(c.Refresh) {
			t.Errorf("all renew at %s", a.Refresh)
		}
		if !a.Expires.Equal(b.Expires) || a.Generation != b.Generation || a.Holder == "" || a.Holder != b.Holder {
			t.Errorf("%+v and %+v are not the same token", a, b)
		}
	})
}

// The endpoint is dead for ten minutes while the token is valid: nobody
// notices. Then it expires.
func TestEndpointDeadForTheFleet(t *testing.T) {
	endpoint := &accounts{}
	inFleet(t, endpoint, nil, func(t *testing.T, _ *fleet, r [3]*replica) {
		herd(t, 1, r[:]...)
		pass(11*time.Hour + 49*time.Minute)
		endpoint.answers(http.StatusServiceUnavailable)
		for range 10 * 60 {
			for _, one := range r {
				one.wantToken(t, "t1")
			}
			pass(time.Second)
		}
		if calls := endpoint.count() - 1; calls < 5 || calls > 30 {
			t.Errorf("%d attempts in ten minutes with a valid token", calls)
		}
		pass(time.Minute)
		before := endpoint.count()
		for range 60 {
			for _, one := range r {
				if p := one.wantProblem(t, exchange.TokenUnavailable); p.Status() != http.StatusServiceUnavailable || p.RetryAfter <= 0 {
					t.Fatalf("status %d, Retry-After %s", p.Status(), p.RetryAfter)
				}
			}
			pass(250 * time.Millisecond)
		}
		if calls := endpoint.count() - before; calls > 45 { // 15 s
			t.Errorf("%d attempts in 15 seconds: the back-off is not shared", calls)
		}
		endpoint.answers(0)
		pass(time.Second)
		used, _ := herd(t, 5, r[:]...)
		if len(used) != 1 {
			t.Errorf("tokens %v", used)
		}
	})
}

// A store that shows less than before is not believed.
func TestRollback(t *testing.T) {
	endpoint := &accounts{}
	inFleet(t, endpoint, nil, func(t *testing.T, f *fleet, r [3]*replica) {
		herd(t, 1, r[:]...)
		yesterday := f.memory.Snapshot()
		if !r[0].cache.Invalidate(t.Context(), "retail") {
			t.Fatal("unknown credential")
		}
		r[0].wantToken(t, "t2")
		pass(time.Second)
		yesterday()
		endpoint.ends("Bearer t2")
		r[0].wantToken(t, "t3") // not t1, which the store shows again
		if r[0].hooks.of("rolled back, lower true, ignored true") == 0 {
			t.Error("nobody was told")
		}
		pass(time.Second)
		if got := r[0].status(); !got.Shared {
			t.Errorf("status %+v", got)
		}
	})
}

// A flushed store costs no request anything, and no call: that it counts anew
// is no rollback.
func TestFlush(t *testing.T) {
	endpoint := &accounts{}
	inFleet(t, endpoint, nil, func(t *testing.T, f *fleet, r [3]*replica) {
		herd(t, 1, r[:]...)
		for range 3 {
			f.memory.Flush()
			herd(t, 5, r[:]...)
			pass(12 * time.Hour)
		}
		if got := endpoint.count(); got != 3 {
			t.Errorf("%d calls", got)
		}
	})
}
