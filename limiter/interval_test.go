package limiter

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// at is s seconds into some minute; below 0 it is no instant at all.
func at(s int) time.Time {
	if s < 0 {
		return time.Time{}
	}
	return utc("2018-10-30T18:58:00Z").Add(time.Duration(s) * time.Second)
}

func TestIntersect(t *testing.T) {
	for _, c := range []struct {
		name             string
		i, j, want       Interval
		contradict, half bool
	}{
		{name: "overlap", i: Interval{at(1), at(5)}, j: Interval{at(3), at(9)}, want: Interval{at(3), at(5)}},
		{name: "one within the other", i: Interval{at(1), at(9)}, j: Interval{at(3), at(5)}, want: Interval{at(3), at(5)}},
		{name: "apart", i: Interval{at(1), at(3)}, j: Interval{at(5), at(9)}, contradict: true},
		{name: "open ends that touch", i: Interval{at(1), at(3)}, j: Interval{at(3), at(9)}, contradict: true},
		{name: "nothing known", i: Interval{}, j: Interval{}, want: Interval{}, half: true},
		{name: "first evidence", i: Interval{}, j: Interval{at(1), at(3)}, want: Interval{at(1), at(3)}},
		{name: "bracket from below", i: Interval{at(1), at(-1)}, j: Interval{at(2), at(-1)}, want: Interval{at(2), at(-1)}, half: true},
		{name: "two halves", i: Interval{at(1), at(-1)}, j: Interval{at(-1), at(3)}, want: Interval{at(1), at(3)}},
		{name: "two halves apart", i: Interval{at(3), at(-1)}, j: Interval{at(-1), at(3)}, contradict: true},
	} {
		for _, pair := range [][2]Interval{{c.i, c.j}, {c.j, c.i}} {
			got, ok := pair[0].Intersect(pair[1])
			want := c.want
			if c.contradict {
				want = pair[0] // unchanged
			}
			if got != want || ok == c.contradict {
				t.Errorf("%s: %v, %v; want %v", c.name, got, ok, want)
			}
			if _, both := got.Width(); !c.contradict && both == c.half {
				t.Errorf("%s: width known: %v", c.name, both)
			}
		}
	}
}

func TestBoundary(t *testing.T) {
	got := Boundary(at(0), at(10), 20)
	if want := (Interval{at(19), at(31)}); got != want {
		t.Fatalf("%v, want %v", got, want)
	}
	if w, ok := got.Width(); w != 12*time.Second || !ok {
		t.Errorf("width %v, %v", w, ok)
	}
	for s, want := range map[int]bool{19: false, 20: true, 30: true, 31: false} {
		if got.Contains(at(s)) != want {
			t.Errorf("contains second %d: %v", s, !want)
		}
	}
	if late := (Interval{at(3), at(1)}); !late.Empty() || late.Contains(at(2)) {
		t.Errorf("%v is not empty", late)
	}
	if w, _ := (Interval{at(3), at(1)}).Width(); w != 0 {
		t.Errorf("an empty interval is %v wide", w)
	}
	if _, ok := (Observation{Kind: Windowed, Reset: at(1)}).Boundary(at(0), at(1)); ok {
		t.Error("a boundary without ResetSeconds")
	}
}

// TestBoundaryHoldsTheEnd: whatever the rounding, and whenever between sending
// and receipt the upstream looked at its clock, all observations of one window
// agree, and what they know together still holds the window's end.
func TestBoundaryHoldsTheEnd(t *testing.T) {
	roundings := []func(float64) float64{math.Floor, math.Ceil, math.Round}
	rapid.Check(t, func(t *rapid.T) {
		end := at(60)
		rounding := rapid.SampledFrom(roundings).Draw(t, "rounding")
		var known Interval
		for range rapid.IntRange(1, 8).Draw(t, "answers") {
			arrived := end.Add(-time.Duration(rapid.Int64Range(0, int64(time.Minute)).Draw(t, "left")))
			sent := arrived.Add(-time.Duration(rapid.Int64Range(0, int64(10*time.Second)).Draw(t, "out")))
			received := arrived.Add(time.Duration(rapid.Int64Range(0, int64(10*time.Second)).Draw(t, "back")))
			n := int64(rounding(end.Sub(arrived).Seconds()))

			narrower, ok := known.Intersect(Boundary(sent, received, n))
			if !ok || !narrower.Contains(end) {
				t.Fatalf("%v and (%v, %v, %d): %v, %v", known, sent, received, n, narrower, ok)
			}
			known = narrower
		}
	})
}
