package limiter

import (
	"testing"

	"pgregory.net/rapid"
)

func TestFillIsMaxMinFair(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		takers := make([]taker, rapid.IntRange(1, 20).Draw(t, "takers"))
		wanted := int64(0)
		for i := range takers {
			takers[i] = taker{
				used: rapid.Int64Range(0, 200).Draw(t, "used"), weight: rapid.Int64Range(1, 5).Draw(t, "weight"),
				want: rapid.Int64Range(0, 100).Draw(t, "want"),
			}
			wanted += takers[i].want
		}
		total := rapid.Int64Range(-5, 1000).Draw(t, "total")
		fill(total, takers)
		given := int64(0)
		for _, a := range takers {
			given += a.got
			if a.got < 0 || a.got > a.want {
				t.Fatalf("%+v", a)
			}
			for _, b := range takers { // nobody is served while one that is lower wants more
				if b.got < b.want && a.got > 0 && float64(a.used+a.got-1)/float64(a.weight) > float64(b.used+b.got)/float64(b.weight)+1 {
					t.Fatalf("%+v was served before %+v", a, b)
				}
			}
		}
		if want := max(0, min(total, wanted)); given != want {
			t.Fatalf("gave %d of %d", given, want)
		}
	})
}

// meet has replicas make themselves known, wanting nothing.
func (f *fleet) meet(names ...string) {
	for _, name := range names {
		uses := f.of(name).uses
		f.of(name).uses = nil
		f.ask(name)
		f.of(name).uses = uses
	}
}

// drain has replicas ask in turn until nothing comes any more, and returns what
// each caller got.
func (f *fleet) drain(names ...string) map[string]int64 {
	got := map[string]int64{}
	for idle := 0; idle < 3*len(names); idle++ {
		for _, name := range names {
			a := f.ask(name)
			for i, n := range a.Grants {
				got[f.of(name).uses[i].Caller] += n
				if n > 0 {
					idle = 0
				}
			}
		}
	}
	return got
}

func TestEqualCallersGetEqualParts(t *testing.T) {
	f := newFleet(t, window(500))
	f.known(500, 9)
	callers := []string{"p", "q", "r", "s"}
	for i, name := range []string{"a", "b", "c"} {
		f.of(name).uses = nil
		for j, c := range callers { // unequal backlogs on unequal replicas
			f.of(name).uses = append(f.of(name).uses, waiting(c, Batch, int64(100+50*i+30*j)))
		}
	}
	f.meet("b", "c")
	got := f.drain("a", "b", "c")
	used := f.of("a").answer.Own
	if used != 500 {
		t.Errorf("%d of 500 used", used)
	}
	for _, c := range callers {
		if got[c] < 115 || got[c] > 125 {
			t.Errorf("%s got %d of 475", c, got[c])
		}
	}
}

func TestWeightsAndCaps(t *testing.T) {
	p := window(500)
	p.SharesID, p.Shares = 1, []Share{
		{Caller: "capped", Weight: 9, Cap: Amount{Tokens: 40}}, {Caller: "heavy", Weight: 3},
	}
	f := newFleet(t, p)
	f.known(500, 9)
	for _, name := range []string{"a", "b"} {
		f.of(name).uses = []Use{waiting("capped", Batch, 500), waiting("heavy", Batch, 500), waiting("light", Batch, 500)}
	}
	got := f.drain("a", "b")
	if got["capped"] != 40 {
		t.Errorf("the capped caller got %d", got["capped"])
	}
	if ratio := float64(got["heavy"]) / float64(got["light"]); ratio < 2.8 || ratio > 3.2 {
		t.Errorf("weight 3 got %d, weight 1 %d", got["heavy"], got["light"])
	}
}

// A guarantee is kept although others would take everything, and lent when the
// window ends.
func TestAGuaranteeIsKeptAndThenLent(t *testing.T) {
	p := window(500)
	p.SharesID, p.Shares = 1, []Share{{Caller: "shop", Weight: 1, Guarantee: Amount{Percent: 20}}}
	f := newFleet(t, p)
	f.known(500, 9)
	f.of("a").uses = []Use{waiting("reports", Batch, 2000)}
	f.of("b").uses = []Use{{Caller: "shop", Class: Interactive}}
	f.drain("a")
	kept := 500 - f.of("a").answer.Own
	if kept < 90 || kept > 100 {
		t.Fatalf("%d tokens are kept for a guarantee of 100 with 9 s to go", kept)
	}
	for range 30 { // its requests come one by one, and never wait
		f.now += 100
		f.of("b").uses[0].Waiting, f.of("b").uses[0].Arrived = 1, f.of("b").uses[0].Arrived+1
		if a := f.ask("b"); sum(a.Grants) != 1 {
			t.Fatalf("refused inside the guarantee: %+v", a)
		}
		f.ask("a")
	}
	for f.now < f.shared.Hi-20 {
		f.now = f.of("a").answer.Again
		f.ask("a")
	}
	if a := f.ask("a"); a.Own < 498 {
		t.Errorf("%d of 500 used at the end: what is kept must be lent", a.Own)
	}
}

func TestClassesLeaveEachOtherSomething(t *testing.T) {
	f := newFleet(t, window(500))
	f.known(500, 9)
	f.meet("b", "c")
	f.of("b").uses = []Use{waiting("night", Batch, 2000)}
	f.of("b").uses[0].Waiting = sum(f.ask("b").Grants) + 2000 // batch is known to wait
	f.of("a").uses = []Use{waiting("screen", Interactive, 2000)}
	f.of("c").uses = []Use{waiting("copy", Background, 2000)}
	got := f.drain("a", "b", "c")
	if n := f.of("b").uses[0].Spent; n < 50 {
		t.Errorf("batch got %d, less than a tenth", n)
	}
	if got["screen"] < 380 {
		t.Errorf("interactive got %d", got["screen"])
	}
	if got["copy"] > 10 {
		t.Errorf("background got %d before the others", got["copy"])
	}
}

// What a capped caller may not have is kept for nobody.
func TestNothingIsKeptForWhatACapForbids(t *testing.T) {
	for _, c := range []Class{Interactive, Batch} {
		t.Run(c.String(), func(t *testing.T) {
			p := window(500)
			p.SharesID, p.Shares = 1, []Share{{Caller: "capped", Weight: 1, Cap: Amount{Tokens: 50}}}
			f := newFleet(t, p)
			f.known(500, 9)
			f.of("a").uses = []Use{waiting("capped", c, 800), waiting("copy", Background, 800)}
			got := f.drain("a")
			if used := f.of("a").answer.Own; got["capped"] > 50 || used != 500 {
				t.Errorf("%d of 500 used, %d of them by the caller that may have 50", used, got["capped"])
			}
		})
	}
}

func TestTokensAheadOnlyWhileThereIsPlenty(t *testing.T) {
	f := newFleet(t, window(1000))
	f.known(1000, 50)
	f.of("a").ahead = 10
	if a := f.ask("a"); a.Pool != 10 || a.Expires != f.now+leaseFor {
		t.Fatalf("%+v", a)
	}
	f.of("a").keep = 4 // of the ten
	if a := f.ask("a"); a.Pool != 6 {
		t.Errorf("%d tokens ahead beside 4 that are held, want 6", a.Pool)
	}
	f.of("b").uses = []Use{waiting("x", Batch, 5000)}
	f.ask("b")
	f.of("a").keep = 0
	if a := f.ask("a"); a.Pool != 0 {
		t.Errorf("%d tokens ahead while others wait", a.Pool)
	}
}

// TestReturnFromAloneness: while other replicas may still spend without the
// store, one that is back has no more under way than one that is alone.
func TestReturnFromAloneness(t *testing.T) {
	for _, tt := range []struct{ alone, flight, want int64 }{
		{0, 0, 45},  // the store had lost what it granted: half, for others may tell more
		{3, 0, 15},  // a sixth of what is left
		{3, 10, 5},  // less what is under way
		{3, 20, 0},  // and no more
		{60, 0, 1},  // one may always ask the upstream
		{60, 1, 0},  // but not two
		{1, 15, 30}, // of a fleet of one, too
	} {
		f := newFleet(t, window(100))
		f.known(100, 8)
		f.of("a").uses = []Use{waiting("x", Interactive, 100)}
		ask := f.askOf("a")
		ask.Seq, ask.Sent, ask.Done, ask.Alone, ask.Flight = ask.Seq+1, 10, 10-min(10, tt.flight), tt.alone, tt.flight
		if got := sum(f.shared.Acquire(ask, f.now).Grants); got != tt.want {
			t.Errorf("alone %d, %d under way: %d granted, want %d", tt.alone, tt.flight, got, tt.want)
		}
	}
}
