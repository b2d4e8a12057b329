package limiter

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestStoreClockIsSound: whatever the delays and however the two clocks drift
// within 100 ppm, the true difference lies within the bounds, and the bounds of
// an instant hold on both sides.
func TestStoreClockIsSound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c storeClock
		base := time.Duration(rapid.Int64Range(0, 1<<60).Draw(t, "base"))
		ppm := rapid.Int64Range(-99, 99).Draw(t, "ppm")
		store := func(m moment) time.Duration { return base + m + m*time.Duration(ppm)/1_000_000 }
		m := headroom
		for range rapid.IntRange(1, 12).Draw(t, "answers") {
			m += time.Duration(rapid.Int64Range(0, int64(5*time.Minute)).Draw(t, "pause"))
			there := time.Duration(rapid.Int64Range(0, int64(3*time.Second)).Draw(t, "there"))
			back := time.Duration(rapid.Int64Range(0, int64(3*time.Second)).Draw(t, "back"))
			reading := floorMilli(store(m + there))
			if c.learn(m, m+there+back, reading) {
				t.Fatalf("a reading of the same clock is taken for another's")
			}
			m += there + back
			at := m + time.Duration(rapid.Int64Range(-int64(time.Hour/2), int64(time.Hour)).Draw(t, "at"))
			truth := store(at)
			if lo, hi := c.bounds(at); truth-at < lo || truth-at > hi {
				t.Fatalf("difference %v is not within %v and %v", truth-at, lo, hi)
			}
			if c.early(at) > floorMilli(truth) || c.late(at) < floorMilli(truth) {
				t.Fatalf("%v is not within %d and %d", truth, c.early(at), c.late(at))
			}
			instant := floorMilli(store(at))
			if before := c.before(instant); before > 1 && floorMilli(store(before)) > instant {
				t.Fatalf("the store has passed %d at %v", instant, before)
			}
			if after := c.after(instant); floorMilli(store(after)) < instant {
				t.Fatalf("the store has not reached %d at %v", instant, after)
			}
		}
	})
}

func TestStoreClockNarrows(t *testing.T) {
	var c storeClock
	if c.early(headroom) != 0 || c.late(headroom) != 0 || c.before(5) != 0 || c.after(5) != 0 {
		t.Error("an unknown clock tells something")
	}
	c.learn(headroom, headroom+time.Second, 1_000_500)
	wide := c.hi - c.lo
	c.learn(headroom+2*time.Second, headroom+2*time.Second+time.Millisecond, 1_002_300)
	if narrow := c.hi - c.lo; narrow > 3*time.Millisecond || wide < time.Second {
		t.Errorf("the bounds are %v apart after a trip of a second and %v after one of a millisecond", wide, narrow)
	}
	c.learn(headroom+3*time.Second, headroom+4*time.Second, 1_003_800)
	if narrow := c.hi - c.lo; narrow > 4*time.Millisecond {
		t.Errorf("a slow trip widened the bounds to %v", narrow)
	}
}

func TestStoreClockOfAnotherServer(t *testing.T) {
	for _, tt := range []struct {
		name   string
		shift  int64
		jumped bool
	}{
		{"the same", 0, false},
		{"corrected a little", 200, false},
		{"a server that is ahead", 400, true},
		{"a server that is behind", -400, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var c storeClock
			c.learn(headroom, headroom+time.Millisecond, 1_000_000)
			m := headroom + time.Second
			if got := c.learn(m, m+time.Millisecond, 1_001_000+tt.shift); got != tt.jumped {
				t.Errorf("jumped %t, want %t", got, tt.jumped)
			}
			if e := c.early(m); e < 1_001_000+tt.shift-2 || e > 1_001_000+tt.shift+2 {
				t.Errorf("it shows %d", e)
			}
		})
	}
}

func TestFloorMilli(t *testing.T) {
	for d, want := range map[time.Duration]int64{
		0: 0, 1: 0, -1: -1, time.Millisecond: 1, -time.Millisecond: -1, -time.Millisecond - 1: -2, 1999 * time.Microsecond: 1,
	} {
		if got := floorMilli(d); got != want {
			t.Errorf("floorMilli(%d) = %d, want %d", d, got, want)
		}
	}
}
