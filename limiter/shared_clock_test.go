package limiter

import "testing"

// behind has the store move to a server whose clock is ten minutes behind. The
// replica's own clock follows.
func (f *fleet) behind() {
	const back = 600_000
	f.now -= back
	for i := range f.of("a").seen {
		o := &f.of("a").seen[i]
		o.Sent, o.First, o.Last, o.Lo, o.Hi = o.Sent-back, o.First-back, o.Last-back, o.Lo-back, o.Hi-back
	}
	f.ask("a")
}

// limitOnly has replica a learn a limit alone, of which nine tenths may be used
// in a minute.
func (f *fleet) limitOnly(limit int64) {
	r := f.of("a")
	r.uses = []Use{waiting("x", Batch, 1)}
	f.ask("a")
	r.unnamed, r.limit = 1, limit
	f.ask("a")
}

// Nothing that was to happen at an instant of the old clock waits until the new
// one gets there.
func TestAClockThatGoesBackHoldsNothingUp(t *testing.T) {
	t.Run("a probe that was lost", func(t *testing.T) {
		f := newFleet(t, Parameters{Kind: Window})
		f.of("a").uses = []Use{waiting("x", Batch, 9)}
		f.ask("a")
		f.behind()
		f.now += probeFor
		f.ask("a")
		if got := f.of("a").sent; got != 2 {
			t.Errorf("%d probes, want another", got)
		}
	})
	t.Run("a pace that is spent", func(t *testing.T) {
		f := newFleet(t, Parameters{Kind: Window})
		f.limitOnly(1000)
		f.of("a").uses = []Use{waiting("x", Batch, 2000)}
		if a := f.ask("a"); a.Available != 0 {
			t.Fatalf("%d are left", a.Available)
		}
		f.behind()
		f.now += 70_000 // of all slices
		if a := f.ask("a"); sum(a.Grants) < 800 {
			t.Errorf("%d are granted", sum(a.Grants))
		}
	})
	t.Run("a pace that was halved", func(t *testing.T) {
		f := newFleet(t, Parameters{Kind: Window})
		f.limitOnly(1000)
		f.of("a").refused++
		f.ask("a")
		f.behind()
		for range 3 {
			f.now += 60_000
			f.ask("a")
		}
		if got := f.of("a").answer.Limit; got <= 450 {
			t.Errorf("limit %d after three minutes", got)
		}
	})
	t.Run("slots that are fewer for a minute", func(t *testing.T) {
		f := newFleet(t, slots(8))
		f.of("a").refused++
		f.ask("a")
		f.behind()
		if got := f.shared.slots(f.now); got != 7 {
			t.Errorf("%d slots at once", got)
		}
		f.now += 60_000
		if got := f.shared.slots(f.now); got != 8 {
			t.Errorf("%d slots after a minute", got)
		}
	})
}

// What the answers tell by the new clock is believed, and what the fleet knows of
// itself is no news to it.
func TestAWindowAfterTheClockWentBack(t *testing.T) {
	f := newFleet(t, window(100))
	f.known(100, 5)
	f.behind()
	if a := f.of("a").answer; f.shared.Lost || a.Own != 1 || a.Replicas != 1 || a.Blocked != 0 {
		t.Errorf("lost %v, %+v", f.shared.Lost, a)
	}
	f.sees("a", f.of("a").name, 50, 30, 4)
	if a := f.ask("a"); a.Limit != 50 || a.External != 29 {
		t.Errorf("limit %d and %d of others, want the newest", a.Limit, a.External)
	}
	f.now += 1000
	if a := f.ask("a"); a.Margin < 8 || a.Margin > 30 { // others spend 29 in 6 s
		t.Errorf("margin %d, one second after the answer", a.Margin)
	}
}

// A Retry-After lasts no longer than a window then, and none is made up.
func TestAHoldIsCutWhenTheClockGoesBack(t *testing.T) {
	for _, tt := range []struct{ back, hold, want int64 }{
		{0, 3000, 3000},
		{600_000, 15_000, 10_000}, // a window
		{600_000, 0, 0},
		{5000, 3000, 8000},
	} {
		f := newFleet(t, window(100))
		f.known(100, 5)
		if tt.hold > 0 {
			ask := f.askOf("a")
			f.of("a").seq++
			ask.Seq, ask.HoldUntil = ask.Seq+1, f.now+tt.hold
			f.shared.Acquire(ask, f.now)
		}
		f.now -= tt.back
		if a := f.ask("a"); max(0, a.Blocked-f.now) != tt.want {
			t.Errorf("a hold of %d ms lasts %d ms when the clock goes back by %d ms, want %d", tt.hold, a.Blocked-f.now, tt.back, tt.want)
		}
	}
}

// Clocks of one server are not exact: a quarter of a second back is the same
// one, and the end of the window stays known.
func TestAClockMayGoBackALittle(t *testing.T) {
	for _, tt := range []struct {
		back int64
		same bool
	}{{0, true}, {clockSlack, true}, {clockSlack + 1, false}} {
		f := newFleet(t, window(100))
		f.known(100, 5)
		f.of("a").seen = nil // not told again
		f.now -= tt.back
		if a := f.ask("a"); (a.Hi != 0) != tt.same || (f.shared.Recover > f.now) == tt.same {
			t.Errorf("%d ms back: the window ends at %d, all tell again until %d", tt.back, a.Hi, f.shared.Recover)
		}
	}
}

// By the new clock an old answer may seem to be of a request that was sent
// within the current window. It contradicts nothing.
func TestLateNewsAfterTheClockWentForwards(t *testing.T) {
	const ahead = 600_000
	f := newFleet(t, window(100))
	f.known(100, 5)
	first := f.of("a").name
	f.now += 6006
	f.ask("a")
	f.sees("a", first+10_000, 100, 1, 9)
	f.ask("a")
	f.of("a").seen = nil
	late := told(first, 100, 90, 0, f.now-3000, 3)
	f.of("a").at = f.now
	f.now += ahead
	f.ask("a")
	f.of("a").at = f.now
	late.Sent, late.First, late.Last, late.Lo, late.Hi = late.Sent+ahead, late.First+ahead, late.Last+ahead, late.Lo+ahead, late.Hi+ahead
	f.of("a").seen = []Seen{late}
	if a := f.ask("a"); a.Conflict || a.Name != first+10_000 || a.Used == 90 {
		t.Errorf("%+v", a)
	}
}
