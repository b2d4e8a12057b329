package limiter

import "testing"

// A reload changes shares while the bucket runs; no shares at all are a change
// too.
func TestSharesFollowTheNewestConfiguration(t *testing.T) {
	f := newFleet(t, window(100))
	f.known(100, 5)
	f.with.SharesID = 1
	f.of("b").uses = []Use{waiting("x", Batch, 500)}
	for _, limit := range []int64{3, 5} {
		f.with.SharesID++
		f.with.Shares = []Share{{Caller: "x", Weight: 1, Cap: Amount{Tokens: limit}}}
		for range 20 {
			f.ask("b")
		}
		if got := f.of("b").sent; got != limit {
			t.Errorf("%d tokens under a cap of %d", got, limit)
		}
	}
	f.with.SharesID, f.with.Shares = 9, noShares()
	for range 20 {
		f.ask("b")
	}
	if got := f.of("b").sent; got < 50 {
		t.Errorf("%d tokens without a cap", got)
	}
}

// A part of a small limit rounds down, a guarantee and a cap to at least 1.
func TestASharesLeastIsOne(t *testing.T) {
	var s Shared
	s.begin(Parameters{Kind: Concurrency, Max: 8, SharesID: 1, Shares: []Share{
		{Caller: "x", Weight: 1, Guarantee: Amount{Percent: 5}, Cap: Amount{Percent: 5}},
		{Caller: "y", Weight: 1, Guarantee: Amount{Percent: 49}},
	}}, epoch0)
	all := s.parties(epoch0)
	if x, y := all[0], all[1]; x.guarantee != 1 || x.cap != 1 || y.guarantee != 3 {
		t.Errorf("guarantee %d, cap %d; guarantee %d", x.guarantee, x.cap, y.guarantee)
	}
}

// What others use is the upstream's to limit, not max.
func TestMaxIsOfOurOwnTokens(t *testing.T) {
	p := window(1000)
	p.Max = 100
	f := newFleet(t, p)
	f.known(1000, 5)
	f.sees("a", f.of("a").name, 1000, f.of("a").sent+400, 5)
	f.of("a").uses = []Use{waiting("x", Batch, 1000)}
	for range 20 {
		f.ask("a")
		f.of("a").done = f.of("a").sent
	}
	if got := f.of("a").sent; got != 100 {
		t.Errorf("%d tokens of 100, others have used 400 of the other 900", got)
	}
}

// Tokens that a replica holds when it hears of a new window may have been spent
// meanwhile, and be counted there.
func TestHeldTokensOfAnOldWindowAreCarried(t *testing.T) {
	f := newFleet(t, window(1000))
	f.known(1000, 5)
	r := f.of("a")
	r.ahead = 7
	f.ask("a")
	if r.keep != 7 {
		t.Fatalf("%d tokens ahead", r.keep)
	}
	f.now += 6006
	r.done, r.ahead = r.sent, 0
	f.of("b").uses = []Use{waiting("x", Batch, 1)}
	f.ask("b") // the window ends
	if f.ask("a"); f.shared.own() != 7+f.of("b").sent {
		t.Errorf("own %d, of which %d are the other's", f.shared.own(), f.of("b").sent)
	}
	r.keep = 0 // void with the new window
	if f.ask("a"); f.shared.own() != f.of("b").sent {
		t.Errorf("own %d once it has said so, %d are the other's", f.shared.own(), f.of("b").sent)
	}
}

// The record of a window has what its last ask tells, and what was granted in
// vain.
func TestTheRecordOfAWindow(t *testing.T) {
	f := newFleet(t, window(1000))
	f.known(1000, 5)
	r := f.of("a")
	r.ahead = 7
	f.ask("a")
	r.uses = []Use{{Caller: "x", Class: Batch, Spent: r.sent + 4, Arrived: 5}}
	r.sent, r.keep, r.ahead = r.sent+4, 3, 0 // four of those ahead are spent, three not
	r.done = r.sent
	f.now += 6006
	c := f.ask("a").Closed
	if c == nil || c.Own != 8 || c.Counted != 5 || c.Wasted != 3 || len(c.By) != 1 || c.By[0] != (Usage{"x", 5}) {
		t.Errorf("%+v", c)
	}
}

// Those who have waited for half of their time may use 5 % of a window's limit
// that are kept for interactive callers: of each window.
func TestLongWaitersGetPartOfTheReserve(t *testing.T) {
	f, name := aligned(t, 100)
	for window := range 3 {
		name += 10000
		f.now = name - 8900 // the one before is over for certain
		f.shared.Demand = []Demand{{Caller: "shop", Rate: [Classes]float64{500}, Windows: 9}}
		r := f.of("a")
		urgent := waiting("reports", Batch, 50)
		urgent.Urgent = 50
		r.uses = []Use{urgent}
		for range 3 {
			r.done = r.sent
			f.ask("a")
		}
		if got := r.sent; got != 9+5 { // a tenth is for batch in any case, but for one kept in doubt
			t.Errorf("window %d: %d tokens", window, got)
		}
	}
}

// Background leaves what batch waits for.
func TestBackgroundComesAfterBatch(t *testing.T) {
	f := newFleet(t, window(100))
	f.known(100, 5)
	f.of("b").uses = []Use{waiting("reports", Batch, 60)}
	f.ask("b")
	f.ask("b")
	left, before := f.ask("b").Available, f.of("b").uses[0].Waiting
	f.of("c").uses = []Use{waiting("mirror", Background, 100)}
	for range 20 {
		f.ask("c")
	}
	if got := f.of("c").sent; before == 0 || got > max(0, left-before) {
		t.Errorf("background has %d of %d, batch waits for %d", got, left, before)
	}
}

// A store whose state was wrong gives each replica a part only, however few
// there seem to be.
func TestARepairedStoreGrantsParts(t *testing.T) {
	f := newFleet(t, window(1000))
	f.known(1000, 5)
	f.of("a").sent += 40
	f.of("a").done = f.of("a").sent
	f.of("a").uses = []Use{waiting("x", Batch, 1000)}
	if a := f.ask("a"); !a.Repaired || sum(a.Grants) > (1000-41)/2 {
		t.Errorf("repaired %v, %d granted", a.Repaired, sum(a.Grants))
	}
	f.now += recoverFor + 1
	f.of("a").uses = []Use{waiting("x", Batch, 1000)}
	if a := f.ask("a"); a.Repaired || f.shared.own() != 1000 {
		t.Errorf("repaired %v, own %d", a.Repaired, f.shared.own())
	}
}

// Clocks drift: the end of a window that nobody has named is known a millisecond
// less well with each.
func TestBoundsWidenWithEachWindow(t *testing.T) {
	f, _ := aligned(t, 100)
	before := f.of("a").answer
	f.now = before.Hi + 4*10000
	if a := f.ask("a"); a.Hi-a.Lo != before.Hi-before.Lo+8 {
		t.Errorf("%d ms after four windows, it was %d", a.Hi-a.Lo, before.Hi-before.Lo)
	}
}
