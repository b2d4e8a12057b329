package limiter

import "testing"

func window(limit int64) Parameters {
	return Parameters{Kind: Window, Assume: limit, AssumeWindow: 10000}
}

func TestAWindowEndsForCertainOrByProof(t *testing.T) {
	f := newFleet(t, window(100))
	f.known(100, 5)
	end := f.now + 6000 // no later, whatever the rounding
	f.of("b").uses = []Use{waiting("x", Batch, 1000)}
	total := int64(0)
	for range 200 {
		total += sum(f.ask("b").Grants)
	}
	own := f.of("a").sent
	if total+own != 100 {
		t.Fatalf("granted %d of 100", total+own)
	}
	for _, at := range []int64{f.now + 1000, end, end + rollGuard} {
		f.now = at
		if got := sum(f.ask("b").Grants); got != 0 {
			t.Fatalf("%d tokens at %d, before the end is certain", got, at-end)
		}
	}
	f.now = end + rollGuard + 1
	a := f.ask("b")
	if a.Closed == nil || a.Closed.Proof || a.Closed.Own != 100 || sum(a.Grants) == 0 {
		t.Fatalf("after the end: %+v, closed %+v", a, a.Closed)
	}
	if a.Name != 0 || a.Hi != 0 {
		t.Errorf("a window that nobody has named is %d, ends by %d", a.Name, a.Hi)
	}
}

func TestAnAnswerProvesTheNextWindow(t *testing.T) {
	f := newFleet(t, window(100))
	f.known(100, 5)
	a := f.of("a")
	first := a.name
	f.now += 4800
	f.sees("a", first+10000, 100, 1, 10) // the 100th token was counted there
	got := f.ask("a")
	if got.Closed == nil || !got.Closed.Proof || got.Name != first+10000 {
		t.Fatalf("%+v", got)
	}
	// What was sent before may be counted in it; only what named the old window
	// is certain not to be.
	if own := got.Own; own != 0 {
		t.Errorf("own %d, but every request named the old window", own)
	}
}

func TestWhatIsUnderWayIsCarried(t *testing.T) {
	f := newFleet(t, window(100))
	f.known(100, 5)
	for _, name := range []string{"a", "b"} {
		f.of(name).uses = []Use{waiting("x", Batch, 10)}
		for range 40 {
			f.ask(name)
		}
	}
	f.of("a").done = f.of("a").sent - 3 // three are under way
	f.ask("a")
	f.ask("b") // all ten are
	f.now += 6006
	f.of("c").uses = []Use{waiting("y", Batch, 1000)}
	if a := f.ask("c"); a.Own-sum(a.Grants) != 13 {
		t.Fatalf("carried %d, want 13", a.Own-sum(a.Grants))
	}
	f.of("b").done += 4 // four have named the old window meanwhile
	if a := f.ask("b"); a.Own-f.of("c").sent != 9 {
		t.Fatalf("carried %d, want 9", a.Own-f.of("c").sent)
	}
}

func TestLateNewsOfAnOldWindowChangesNothing(t *testing.T) {
	f := newFleet(t, window(100))
	f.known(100, 5)
	first := f.of("a").name
	f.now += 6006
	f.ask("a")
	f.sees("a", first+10000, 100, 1, 9)
	f.ask("a")
	before := f.shared.Clone()
	late := f.of("b")
	late.seen = []Seen{told(first, 100, 90, 90, before.Opened-3000, 3)}
	late.seen[0].Spent = 4
	a := f.ask("b")
	if a.Conflict || a.Used != before.Used || a.External != before.External || a.Blocked != 0 || a.Name != first+10000 || a.Epoch != before.Epoch {
		t.Fatalf("changed by old news: %+v", a)
	}
}

func TestAWindowThatBeganTooEarlyIsGivenBack(t *testing.T) {
	f := newFleet(t, window(100))
	f.known(100, 5)
	first := f.of("a").name
	f.of("a").uses = []Use{waiting("x", Batch, 1000)}
	f.ask("a")
	f.now += 6006 // certain, as we believe
	f.of("a").done = f.of("a").sent
	f.ask("a")
	f.now += 50
	f.sees("a", first, 100, 120, 1) // but the upstream still counts the old one
	f.of("a").seen[0].Excess = 120 - f.of("a").sent
	a := f.ask("a")
	if !a.Conflict || a.Name != first || a.Available != 0 || sum(a.Grants) != 0 {
		t.Fatalf("%+v", a)
	}
}

// Windows are aligned with the clock only if one had begun without us.
func TestWindowsAreKnownToBeAligned(t *testing.T) {
	for name, c := range map[string]struct {
		seconds int64 // of the first window when we came
		want    bool
	}{"begun before us": {4, true}, "begun by us": {10, false}} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t, window(100))
			f.known(100, c.seconds)
			next := f.of("a").name
			var a Answer
			for range 5 {
				next += 10000
				f.now = next - 9000
				f.ask("a")
				f.sees("a", next, 100, 1, 9)
				a = f.ask("a")
			}
			if a.Clock != c.want || a.Span != 10000 {
				t.Fatalf("clock %v, span %d", a.Clock, a.Span)
			}
			if !c.want {
				return
			}
			hi := a.Hi
			f.now = hi + 2*10000 + 100 // two windows went by without a word
			if a = f.ask("a"); a.Name != next+30000 || a.Hi < hi+30000 || a.Hi > hi+30010 {
				t.Errorf("after a pause: name %+d, end %+d", a.Name-next, a.Hi-hi)
			}
		})
	}
}

func TestTheSpanIsLearned(t *testing.T) {
	f := newFleet(t, Parameters{Kind: Window}) // 60 s, as documented
	f.known(100, 5)
	next := f.of("a").name
	for range 3 {
		next += 15000
		f.now = next - 10000
		f.ask("a")
		f.sees("a", next, 100, 1, 10)
		f.ask("a")
	}
	if a := f.of("a").answer; a.Span != 15000 {
		t.Errorf("span %d", a.Span)
	}
	if f.now += 16006; f.ask("a").Closed == nil {
		t.Error("the shorter window did not end")
	}
}

// Names of one clock may be off by half a second each. A window that is taken
// for shorter than it is would be ended before its time.
func TestNamesThatJitterShortenNoWindow(t *testing.T) {
	tests := []struct {
		name   string
		span   int64
		off    []int64 // of the names, in milliseconds
		atMost int64
	}{
		{"too close", 10000, []int64{0, -900, 0, -900}, 10000},
		{"too far apart, then too close", 10000, []int64{0, 400, 0, 100}, 10000},
		{"only far apart", 15000, []int64{0, 500, 1000}, 17000},
		{"a length that nobody would choose", 7000, []int64{0, -900, 0}, 8000},
		{"exact", 30000, []int64{0, 0, 0}, 30000},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFleet(t, Parameters{Kind: Window})
			f.known(100, 5)
			name := f.of("a").name
			for _, off := range tt.off {
				name += tt.span
				left := tt.span * 4 / 5
				f.now = name - left
				for _, used := range []int64{1, 9} { // the count starts again in each
					f.sees("a", name+off, 100, used, left/1000)
					f.ask("a")
				}
			}
			if got := f.shared.Span; got < tt.span || got > tt.atMost {
				t.Errorf("windows of %d ms are taken for %d ms long, want at most %d", tt.span, got, tt.atMost)
			}
		})
	}
}

func TestAWindowThatNothingEndsBeginsAgainCold(t *testing.T) {
	f := newFleet(t, window(100))
	f.known(100, 5)
	f.now += 6006
	f.ask("a") // a new window that nothing names
	f.now += 20001
	a := f.ask("a")
	if a.Mode != ModeCold || a.Limit != 5 {
		t.Fatalf("%s, limit %d", a.Mode, a.Limit)
	}
}

func TestSlidingWindowsAreFoundOut(t *testing.T) {
	f := newFleet(t, window(100))
	f.known(100, 10)
	name, used := f.of("a").name, int64(60)
	for range 6 {
		f.now += 2000
		name += 2000
		f.sees("a", name, 100, used, 10)
		f.ask("a")
		used += 2
	}
	a := f.of("a").answer
	if a.Mode != ModeSliding || a.Available > 40 {
		t.Fatalf("%s, %d available of %d", a.Mode, a.Available, a.Limit)
	}
}

func TestARefusalShutsTheWindowForAll(t *testing.T) {
	f := newFleet(t, window(100))
	f.known(100, 5)
	f.sees("a", f.of("a").name, 100, 100, 5)
	f.of("a").seen[0].Spent = 1
	a := f.ask("a")
	if a.Unexpected != 1 || a.Blocked == 0 {
		t.Fatalf("%+v", a)
	}
	f.of("b").uses = []Use{waiting("x", Interactive, 5)}
	if a = f.ask("b"); sum(a.Grants) != 0 || a.Blocked <= f.now || a.Again != a.Blocked {
		t.Fatalf("granted in a window that was refused: %+v", a)
	}
	f.now = a.Blocked
	if a = f.ask("b"); sum(a.Grants) == 0 {
		t.Fatalf("not open at the promised time: %+v", a)
	}
	if a.Margin < 2 {
		t.Errorf("nothing learned from an unexpected refusal: margin %d", a.Margin)
	}
}

func TestRetryAfterHolds(t *testing.T) {
	f := newFleet(t, window(100))
	f.known(100, 5)
	for name, c := range map[string]struct{ until, want int64 }{
		"asked for":         {f.now + 3000, f.now + 3000},
		"poison is cut off": {f.now + 86_400_000, f.now + 20000},
	} {
		t.Run(name, func(t *testing.T) {
			s := f.shared.Clone()
			ask := f.askOf("a")
			ask.Seq, ask.HoldUntil = ask.Seq+1, c.until
			if a := s.Acquire(ask, f.now); a.Blocked != c.want {
				t.Errorf("blocked for %d ms, want %d", a.Blocked-f.now, c.want-f.now)
			}
		})
	}
}

func TestTheLimitFollowsTheNewestAnswer(t *testing.T) {
	f := newFleet(t, window(100))
	f.known(100, 8)
	f.now += 1000
	f.sees("a", f.of("a").name, 50, 6, 7)
	f.ask("a")
	old := f.of("b")
	old.seen = []Seen{told(f.of("a").name, 100, 5, 0, f.now-500, 8)} // sent before
	if a := f.ask("b"); a.Limit != 50 {
		t.Errorf("limit %d, want the newer 50", a.Limit)
	}
}

// Names that lie a minute apart are of windows of a minute only if more than
// half of one was left once: six windows of ten seconds may have passed unseen.
func TestAPauseIsNoLongWindow(t *testing.T) {
	f := newFleet(t, Parameters{Kind: Window})
	f.known(100, 5)
	name := f.of("a").name + 60000
	f.now = name - 8000
	f.ask("a")
	f.sees("a", name, 100, 1, 8)
	if f.ask("a"); f.shared.Sure {
		t.Errorf("windows are taken for %d ms long for certain", f.shared.Span)
	}
	name += 60000
	f.now = name - 50000
	f.ask("a")
	f.sees("a", name, 100, 1, 50)
	if f.ask("a"); !f.shared.Sure || f.shared.Span != 60000 {
		t.Errorf("span %d, sure %v", f.shared.Span, f.shared.Sure)
	}
}
