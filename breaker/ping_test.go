package breaker

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// pinged is an upstream with a ping whose answer tests change.
func pinged(well *atomic.Bool, asked *atomic.Int64) Upstream {
	u := usual()
	u.Ping = func(context.Context) error {
		asked.Add(1)
		if well.Load() {
			return nil
		}
		return errors.New("ill")
	}
	return u
}

// While the breaker is open, one replica of the fleet asks about every OpenFor,
// and an answer closes the breaker everywhere.
func TestPingClosesTheBreaker(t *testing.T) {
	var well atomic.Bool
	var asked atomic.Int64
	fleetOf(t, pinged(&well, &asked), func(_ *flaky, a, b, c *replica) {
		a.become(always(500))
		a.many(20, "/")
		for range 30 * 10 {
			a.many(1, "/") // probes, ever more seldom
			rest(100 * time.Millisecond)
		}
		a.is(Open)
		if n := asked.Load(); n < 20 || n > 45 {
			t.Errorf("%d pings of the fleet in 30 s", n)
		}
		well.Store(true)
		began := time.Now()
		for a.List()[0].State != Closed {
			rest(10 * time.Millisecond)
		}
		if d := time.Since(began); d > 1100*time.Millisecond {
			t.Errorf("%s until it was found well", d)
		}
		rest(pollEvery)
		before := asked.Load()
		for _, r := range []*replica{b, c} {
			r.is(Closed)
		}
		rest(10 * time.Second)
		if asked.Load() != before {
			t.Error("it is asked while it is well")
		}
	})
}

// A ping that is well while everything else fails: the breaker is not closed by
// it again and again, and its time grows on.
func TestAPingThatMisleads(t *testing.T) {
	var well atomic.Bool
	var asked atomic.Int64
	well.Store(true)
	alone(t, pinged(&well, &asked), func(r *replica) {
		r.become(always(500))
		for range 120 * 50 {
			r.many(1, "/")
			rest(20 * time.Millisecond)
		}
		if n := r.count(); n > 100 { // twenty for each of two openings, and probes
			t.Errorf("%d requests reached an upstream that fails", n)
		}
		if n := asked.Load(); n > 3 {
			t.Errorf("%d pings", n)
		}
		r.become(always(200))
		rest(30 * time.Second)
		r.passes()
		r.is(Closed)
		rest(time.Minute) // it is believed again
		r.become(always(500))
		before := asked.Load()
		r.many(20, "/")
		rest(time.Second)
		if asked.Load() == before {
			t.Error("no ping after a real recovery")
		}
	})
}

// One that opens where the load is tells the others that the ping misleads.
func TestAPingThatMisleadsTheFleet(t *testing.T) {
	var well atomic.Bool
	var asked atomic.Int64
	well.Store(true)
	fleetOf(t, pinged(&well, &asked), func(_ *flaky, a, _, _ *replica) {
		a.become(always(500))
		for range 120 * 50 {
			a.many(1, "/")
			rest(20 * time.Millisecond)
		}
		if n, pings := a.count(), asked.Load(); n > 100 || pings > 3 {
			t.Errorf("%d requests and %d pings reached an upstream that fails", n, pings)
		}
	})
}

// Nobody asks what an operator has stopped, and a ping that hangs or panics
// ends nothing.
func TestPingsInTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		u := usual()
		u.Ping = func(ctx context.Context) error {
			if asked.Add(1)%2 == 0 {
				panic("the ping's")
			}
			<-ctx.Done()
			return ctx.Err()
		}
		a := newReplica(t, "a", nil, u)
		a.become(always(500))
		a.many(20, "/")
		rest(20 * time.Second)
		a.is(Open)
		if n := asked.Load(); n < 5 {
			t.Errorf("%d pings", n)
		}
		if err := a.Force(t.Context(), key(), Forced{State: Open, For: time.Hour}); err != nil {
			t.Fatal(err)
		}
		rest(2 * time.Second)
		before := asked.Load()
		rest(time.Minute)
		if asked.Load() != before {
			t.Error("a forced breaker is pinged")
		}
	})
}
