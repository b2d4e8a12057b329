package callerlimit_test

import (
	"testing"
	"testing/synctest"
	"time"

	"iqgateway/callerlimit"
)

// What a store has lost is not given again.
func TestStoreThatLosesEverything(t *testing.T) {
	t.Run("tokens", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFleet(t, 3, callerlimit.Limit{Tokens: 1, Per: time.Hour, Burst: 300})
			from := time.Now()
			for range 5 {
				hammer(t, f.all, 300, 3*time.Second)
				f.store.Lose()
			}
			if n := f.admitted(from); n != 300 {
				t.Errorf("%d admitted, 300 are the burst", n)
			}
			f.close(t)
		})
	})
	t.Run("slots", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFleet(t, 3, callerlimit.Limit{Concurrency: 90})
			one, two := f.all[0], f.all[1]
			held(t, two, 1)
			for range 40 {
				pass(50 * time.Millisecond)
				held(t, one, 10)
			}
			if inside(one) != 60 {
				t.Fatalf("%d under way", inside(one))
			}
			held(t, two, 14) // which has it tell of itself
			pass(beat)
			f.store.Lose()
			for range 200 {
				held(t, two, 20)
				pass(50 * time.Millisecond)
				if n := f.inside(); n > 90 {
					t.Fatalf("%d under way", n)
				}
			}
			end(one)
			for range 40 {
				held(t, two, 20)
				pass(50 * time.Millisecond)
			}
			if n := inside(two); n != 60 {
				t.Errorf("%d on the other once the first has ended", n)
			}
			end(two)
			f.close(t)
		})
	})
}

const beat = 250 * time.Millisecond
