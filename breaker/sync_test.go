package breaker

import (
	"errors"
	"testing"
	"time"
)

// Whoever syncs follows the orders of others at once, without a poll, and
// whatever it has not told yet itself.
func TestSyncFollowsOrdersAtOnce(t *testing.T) {
	fleetOf(t, usual(), func(store *flaky, a, b, _ *replica) {
		if err := a.Force(a.Context(), key(), Forced{State: Open, For: time.Hour, By: "ann"}); err != nil {
			t.Fatal(err)
		}
		b.passes() // it has not heard
		if err := b.Sync(b.Context()); err != nil {
			t.Fatal(err)
		}
		b.refuses()

		store.fails.Store(true)
		if err := b.Sync(b.Context()); !errors.Is(err, errAway) {
			t.Errorf("without the store: %v", err)
		}
		if err := b.Reset(b.Context(), key(), "bob"); !errors.Is(err, ErrHereOnly) {
			t.Fatal(err)
		}
		rest(2 * Late)
		store.fails.Store(false)
		if err := a.Force(a.Context(), key(), Forced{State: Open, For: time.Hour, By: "carl"}); err != nil {
			t.Fatal(err)
		}
		if err := b.Sync(b.Context()); err != nil {
			t.Fatal(err)
		}
		b.refuses() // its own order was the earlier one
	})
	alone := newReplica(t, "alone", nil, usual())
	if err := alone.Sync(t.Context()); err != nil {
		t.Errorf("alone: %v", err)
	}
}
