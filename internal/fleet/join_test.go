package fleet_test

import (
	"testing"
	"testing/synctest"

	"iqgateway/internal/fleet"
)

// Whoever joins knows the others at once, and the others it, before any of them
// runs.
func TestJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &cutOff{Store: fleet.NewMemory()}
		a, b := fleet.New(fleet.Options{Replica: "a", Store: store}), fleet.New(fleet.Options{Replica: "b", Store: store})
		a.Join(t.Context())
		b.Join(t.Context())
		if a.Size() != 1 || b.Size() != 2 {
			t.Errorf("sizes %d and %d", a.Size(), b.Size())
		}
		store.set(true)
		c := fleet.New(fleet.Options{Replica: "c", Store: store})
		c.Join(t.Context())
		if c.Size() != 1 {
			t.Errorf("without the store: %d", c.Size())
		}
		fleet.New(fleet.Options{}).Join(t.Context()) // there is nobody to join
	})
}
