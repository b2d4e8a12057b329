package breaker

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestOrdersReachTheFleet(t *testing.T) {
	fleetOf(t, usual(), func(_ *flaky, a, b, c *replica) {
		if err := a.Force(a.Context(), key(), Forced{State: Open, For: time.Hour, By: "ann", Why: "maintenance"}); err != nil {
			t.Fatal(err)
		}
		rest(pollEvery)
		for _, r := range []*replica{a, b, c} {
			s := r.List()[0]
			if s.Forced == nil || s.Forced.By != "ann" || s.Forced.Why != "maintenance" || s.State != Open || s.OpenFor < 59*time.Minute {
				t.Errorf("%+v", s)
			}
			r.refuses()
		}
		if err := b.Reset(b.Context(), key(), "bob"); err != nil {
			t.Fatal(err)
		}
		rest(pollEvery)
		for _, r := range []*replica{a, b, c} {
			r.is(Closed)
			for range 20 { // no load returns in steps
				r.passes()
			}
		}
		if err := c.Force(c.Context(), key(), Forced{State: Closed, For: time.Second, By: "ann"}); err != nil {
			t.Fatal(err)
		}
		rest(pollEvery)
		if s := a.List()[0]; s.Forced == nil {
			t.Errorf("%+v", s)
		}
		rest(pollEvery)
		for _, r := range []*replica{a, b, c} {
			if s := r.List()[0]; s.Forced != nil || s.State != Closed {
				t.Errorf("%+v", s)
			}
		}
	})
}

func TestResetClosesWhatOpenedItself(t *testing.T) {
	u := usual()
	u.Settings.OpenFor = 20 * time.Second
	fleetOf(t, u, func(_ *flaky, a, b, c *replica) {
		for _, r := range []*replica{a, b} {
			r.become(always(500))
			r.many(20, "/")
			r.become(always(200))
		}
		rest(pollEvery)
		if err := c.Reset(c.Context(), key(), "ann"); err != nil {
			t.Fatal(err)
		}
		rest(pollEvery)
		for _, r := range []*replica{a, b, c} {
			r.is(Closed)
			r.passes()
		}
	})
}

// An order that the store did not hear holds here, says so, and reaches the
// others later; one that the store has lost is told again.
func TestOrdersWhileTheStoreIsAway(t *testing.T) {
	fleetOf(t, usual(), func(store *flaky, a, b, c *replica) {
		store.fails.Store(true)
		err := a.Force(a.Context(), key(), Forced{State: Open, For: time.Hour, By: "ann"})
		if !errors.Is(err, ErrHereOnly) || !errors.Is(err, errAway) {
			t.Errorf("%v", err)
		}
		a.refuses()
		rest(time.Minute)
		a.refuses()
		store.fails.Store(false)
		rest(2 * pollEvery)
		b.refuses()
		c.refuses()
		store.mu.Lock()
		store.records = nil
		store.mu.Unlock()
		rest(2 * pollEvery)
		d := newReplica(a.T, "d", store, usual())
		rest(pollEvery)
		for _, r := range []*replica{a, b, c, d} {
			r.refuses()
			if left := r.List()[0].OpenFor; left > 59*time.Minute || left < 58*time.Minute {
				t.Errorf("forced for %s", left)
			}
		}
	})
}

// Of orders that were given while the store was away the last one holds,
// whoever comes back last.
func TestTheLastOrderHolds(t *testing.T) {
	for name, order := range map[string]func(*replica) error{
		"to let all pass": func(r *replica) error {
			return r.Force(r.Context(), key(), Forced{State: Closed, For: time.Hour, By: "bob"})
		},
		"to reset it": func(r *replica) error { return r.Reset(r.Context(), key(), "bob") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &Memory{}
				first, second := &cutOff{Store: store}, &cutOff{Store: store}
				a, b, c := newReplica(t, "a", first, usual()), newReplica(t, "b", second, usual()), newReplica(t, "c", store, usual())
				first.away.Store(true)
				second.away.Store(true)
				if err := a.Force(a.Context(), key(), Forced{State: Open, For: time.Hour, By: "ann"}); !errors.Is(err, ErrHereOnly) {
					t.Fatal(err)
				}
				rest(time.Minute)
				if err := order(b); !errors.Is(err, ErrHereOnly) {
					t.Fatal(err)
				}
				for _, back := range []*cutOff{second, first} {
					back.away.Store(false)
					rest(2 * pollEvery)
				}
				for _, r := range []*replica{a, b, c} {
					r.is(Closed)
					r.passes()
				}
			})
		})
	}
}

// An order that the store has heard is not told again: it would undo what
// another replica is told meanwhile.
func TestAResetIsToldOnce(t *testing.T) {
	fleetOf(t, usual(), func(store *flaky, a, b, c *replica) {
		if err := a.Force(a.Context(), key(), Forced{State: Open, For: time.Hour, By: "ann"}); err != nil {
			t.Fatal(err)
		}
		rest(pollEvery)
		if err := b.Reset(b.Context(), key(), "bob"); err != nil {
			t.Fatal(err)
		}
		store.fails.Store(true)
		if err := a.Force(a.Context(), key(), Forced{State: Open, For: time.Hour, By: "ann"}); !errors.Is(err, ErrHereOnly) {
			t.Fatalf("%v", err)
		}
		store.fails.Store(false)
		rest(3 * pollEvery)
		for _, r := range []*replica{a, b, c} {
			r.refuses()
		}
	})
}

// A replica that was cut off for long does not tell an order again that was ended
// meanwhile.
func TestAnEndedOrderStaysEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := &flaky{}
		cut := &cutOff{Store: shared}
		a, b := newReplica(t, "a", cut, usual()), newReplica(t, "b", shared, usual())
		if err := b.Force(b.Context(), key(), Forced{State: Open, For: 8 * time.Hour, By: "ann"}); err != nil {
			t.Fatal(err)
		}
		rest(2 * pollEvery)
		a.is(Open)
		cut.away.Store(true)
		if err := b.Reset(b.Context(), key(), "bob"); err != nil {
			t.Fatal(err)
		}
		rest(7 * time.Hour)
		a.is(Open)
		cut.away.Store(false)
		rest(4 * pollEvery)
		a.is(Closed)
		b.is(Closed)
	})
}
