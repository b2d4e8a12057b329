package cache

import (
	"context"
	"errors"
	"testing"
)

// TestCrowds: a place is given back once, who leaves while it waits takes none,
// and when all have gone nothing is left.
func TestCrowds(t *testing.T) {
	var c crowds
	key := flightKey{key: "k"}
	gone, leave := context.WithCancel(t.Context())
	leave()
	full := func() {
		t.Helper()
		if _, err := c.enter(gone, key); !errors.Is(err, context.Canceled) {
			t.Errorf("there was a place: %v", err)
		}
	}
	enter := func() (leave func()) {
		t.Helper()
		leave, err := c.enter(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		return leave
	}
	leaves := []func(){}
	for range alonePerKey {
		leaves = append(leaves, enter())
	}
	full()
	leaves[0]()
	leaves[0]() // again
	leaves[0] = enter()
	full()
	for _, leave := range leaves {
		leave()
		leave()
	}
	if len(c.all) != 0 {
		t.Errorf("left behind: %d", len(c.all))
	}
}
