package limiter

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// drawSighting draws what one answer may say of a window.
func drawSighting(name int64) *rapid.Generator[sighting] {
	return rapid.Custom(func(t *rapid.T) sighting {
		sent := moment(rapid.Int64Range(1, 1000).Draw(t, "sent"))
		last := sent + moment(rapid.Int64Range(0, 100).Draw(t, "took"))
		return sighting{
			name: name + rapid.Int64Range(-2, 2).Draw(t, "jitter"), limit: rapid.Int64Range(1, 3).Draw(t, "limit"),
			used: rapid.Int64Range(0, 9).Draw(t, "used"), excess: rapid.Int64Range(0, 9).Draw(t, "excess"),
			sent: sent, first: sent, last: last, lo: sent, hi: moment(rapid.Int64Range(0, 2000).Draw(t, "hi")),
		}
	})
}

// TestSightingsMerge is I6: neither order nor repetition changes the outcome.
func TestSightingsMerge(t *testing.T) {
	same := cmp.AllowUnexported(sighting{})
	rapid.Check(t, func(t *rapid.T) {
		draw := drawSighting(1000)
		a, b, c := draw.Draw(t, "a"), draw.Draw(t, "b"), draw.Draw(t, "c")
		if d := cmp.Diff(a.join(b), b.join(a), same); d != "" {
			t.Fatalf("not commutative: %s", d)
		}
		if d := cmp.Diff(a.join(b).join(c), a.join(b.join(c)), same); d != "" {
			t.Fatalf("not associative: %s", d)
		}
		if d := cmp.Diff(a.join(b), a.join(b).join(a), same); d != "" {
			t.Fatalf("not idempotent: %s", d)
		}
	})
}

// TestSightingsPermuted: the same for a whole window, with the one before.
func TestSightingsPermuted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draws := rapid.SliceOfN(drawSighting(1000), 1, 6).Draw(t, "answers")
		var straight, shuffled sightings
		for _, s := range draws {
			straight.add(s, 100)
		}
		for _, s := range rapid.Permutation(draws).Draw(t, "order") {
			shuffled.add(s, 100)
			shuffled.add(s, 100)
		}
		if d := cmp.Diff(straight, shuffled, cmp.AllowUnexported(sighting{})); d != "" {
			t.Fatal(d)
		}
	})
}

func TestSightingsKeepTheNewestTwo(t *testing.T) {
	var l sightings
	for _, name := range []int64{3000, 1000, 2000, 4000, 1000} {
		newer := l.add(sighting{name: name, last: moment(name)}, 100)
		if want := name == 3000 || name == 4000; newer != want {
			t.Errorf("%d is newer: %t", name, newer)
		}
	}
	if len(l) != 2 || l[0].name != 3000 || l[1].name != 4000 {
		t.Errorf("%+v", l)
	}
	if l[0].hi != 4000 { // an answer of the next window had come then
		t.Errorf("the window before ended at %d at the latest", l[0].hi)
	}
}

func TestSee(t *testing.T) {
	const sent, received = 10 * time.Second, 12 * time.Second
	answer := Observation{Status: 200, Kind: Windowed, Limit: 100, Remaining: 60}
	left := answer
	left.ResetSeconds, left.HasResetSeconds = 20, true
	spent := left
	spent.Status, spent.Remaining = 429, 0
	hidden := left
	hidden.Status = 429
	for _, tt := range []struct {
		name        string
		o           Observation
		own         int64
		span        time.Duration
		lo, hi      time.Duration
		used, extra int64
		spent       int64
	}{
		{"only counts", answer, 10, 0, 10 * time.Second, 0, 40, 30, 0},
		{"counts and span", answer, 50, time.Minute, 10 * time.Second, 72 * time.Second, 40, 0, 0},
		{"seconds", left, 40, 0, 29 * time.Second, 33 * time.Second, 40, 0, 0},
		{"seconds and a shorter span", left, 39, 15 * time.Second, 29 * time.Second, 27 * time.Second, 40, 1, 0},
		{"spent", spent, 0, 0, 29 * time.Second, 33 * time.Second, 100, 100, 1},
		{"a hidden limit", hidden, 0, 0, 29 * time.Second, 33 * time.Second, 40, 40, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := see(tt.o, 7, tt.own, sent, received, tt.span)
			want := sighting{
				name: 7, limit: 100, used: tt.used, excess: tt.extra, sent: sent, first: sent, last: received,
				lo: tt.lo, hi: tt.hi, spent: tt.spent,
			}
			if got != want {
				t.Errorf("%+v, want %+v", got, want)
			}
		})
	}
}

// TestSightingsAreToldSoundly: in the store's clock lower bounds are early and
// upper bounds late, and without its clock nothing but counts is told.
func TestSightingsAreToldSoundly(t *testing.T) {
	var c storeClock
	l := sightings{{
		name: 5, limit: 9, used: 4, excess: 1, spent: 1, sent: headroom + 2*time.Second, first: headroom + time.Second,
		last: headroom + 3*time.Second, lo: headroom + 4*time.Second, hi: headroom + 5*time.Second,
	}}
	counts := []Seen{{Name: 5, Limit: 9, Used: 4, Excess: 1, Spent: 1}}
	if d := cmp.Diff(counts, l.tell(&c)); d != "" {
		t.Error(d)
	}
	c.learn(headroom, headroom+10*time.Millisecond, 1_000_000)
	got := l.tell(&c)[0]
	check := func(name string, got, want, below, above int64) {
		if got < want-below || got > want+above {
			t.Errorf("%s is %d, want %d", name, got, want)
		}
	}
	check("Sent", got.Sent, 1_002_000, 12, 0)
	check("First", got.First, 1_001_000, 12, 0)
	check("Last", got.Last, 1_003_000, 0, 3)
	check("Lo", got.Lo, 1_004_000, 12, 0)
	check("Hi", got.Hi, 1_005_000, 0, 3)
}
