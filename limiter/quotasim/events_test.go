package quotasim

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestEventsHappenInOrder(t *testing.T) {
	var q queue
	var got []time.Duration
	rnd := newSource(1, 1)
	for range 500 {
		q.at(time.Duration(rnd.IntN(100)), func() { got = append(got, q.now) })
	}
	q.run(49)
	if q.now != 49 || len(got) == 0 || len(got) == 500 {
		t.Fatalf("ran %d of 500 events up to %d", len(got), q.now)
	}
	q.run(100)
	for i := 1; i < len(got); i++ {
		if got[i] < got[i-1] {
			t.Fatalf("event %d at %d after one at %d", i, got[i], got[i-1])
		}
	}
	if len(got) != 500 {
		t.Errorf("%d of 500 events happened", len(got))
	}
}

func TestEventsOfOneInstantKeepTheirOrder(t *testing.T) {
	var q queue
	var got []int
	for i := range 20 {
		q.at(5, func() { got = append(got, i) })
	}
	q.run(5)
	want := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestEventsOfThePastHappenNow(t *testing.T) {
	var q queue
	var at time.Duration
	q.at(10, func() { q.at(3, func() { at = q.now }) })
	q.run(20)
	if at != 10 {
		t.Errorf("happened at %d, want 10", at)
	}
}

func TestNothingHappensAfterStop(t *testing.T) {
	var q queue
	q.at(1, q.stop)
	q.at(2, func() { t.Error("happened after stop") })
	q.run(3)
}

func TestClocksAreInverted(t *testing.T) {
	for _, c := range []clock{{}, {Offset: time.Hour}, {Offset: -time.Minute, Drift: 1e-4}, {Drift: -1e-4}} {
		const at = 100 * time.Second
		if back := c.when(c.reads(at)); (back - at).Abs() > time.Microsecond {
			t.Errorf("%+v: %v became %v", c, at, back)
		}
	}
	if got := (clock{Drift: 1e-4}).reads(100 * time.Second); got != 100*time.Second+10*time.Millisecond {
		t.Errorf("a clock that gains 100 ppm shows %v after 100 s", got)
	}
}
