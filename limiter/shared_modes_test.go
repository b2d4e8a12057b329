package limiter

import "testing"

func TestColdSendsOneProbe(t *testing.T) {
	f := newFleet(t, Parameters{Kind: Window})
	f.of("a").uses = []Use{waiting("x", Interactive, 9)}
	f.of("b").uses = []Use{waiting("x", Interactive, 9)}
	if n := sum(f.ask("a").Grants) + sum(f.ask("b").Grants); n != 1 {
		t.Fatalf("%d probes", n)
	}
	f.now += probeFor - 1
	if a := f.ask("b"); sum(a.Grants) != 0 || a.Again > f.now+100 {
		t.Fatalf("%+v", a)
	}
	f.now++
	if n := sum(f.ask("b").Grants); n != 1 {
		t.Fatalf("%d probes after the first was lost", n)
	}
}

func TestSilentUpstreams(t *testing.T) {
	for name, c := range map[string]struct {
		with    Parameters
		limit   int64
		mode    Mode
		perSpan int64 // at most
	}{
		"a limit alone":     {Parameters{Kind: Window}, 1500, ModeLimitOnly, 1350},
		"nothing, assumed":  {Parameters{Kind: Window, Assume: 200, AssumeWindow: 60000}, 0, ModeLimitOnly, 180},
		"nothing at all":    {Parameters{Kind: Window}, 0, ModeBlind, 410},
		"nothing, but most": {Parameters{Kind: Window, Max: 60}, 0, ModeBlind, 60},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t, c.with)
			r := f.of("a")
			r.uses = []Use{waiting("x", Batch, 0)}
			total := int64(0)
			for end := f.now + 60000; f.now < end; f.now += 50 {
				r.uses[0].Waiting = 5000
				total += sum(f.ask("a").Grants)
				r.unnamed, r.done, r.limit = r.sent+r.carry, r.sent, c.limit
			}
			if a := r.answer; a.Mode != c.mode {
				t.Fatalf("%s", a.Mode)
			}
			if total > c.perSpan || total < c.perSpan*3/4 {
				t.Errorf("%d tokens in a minute, want about %d", total, c.perSpan)
			}
			f.sees("a", f.now+30000, 1000, 1, 30)
			if a := f.ask("a"); a.Mode != ModeKnown || a.Limit > 1000 {
				t.Errorf("after a header that tells: %s, limit %d", a.Mode, a.Limit)
			}
		})
	}
}

func TestPacesHalveOnRefusalsAndRecover(t *testing.T) {
	f := newFleet(t, Parameters{Kind: Window})
	r := f.of("a")
	r.uses = []Use{waiting("x", Batch, 1)}
	f.ask("a")
	r.unnamed, r.limit = 1, 1000
	before := f.ask("a").Limit
	r.refused++
	if a := f.ask("a"); a.Limit != before/2 {
		t.Fatalf("limit %d after a refusal at %d", a.Limit, before)
	}
	for range 8 {
		f.now += 60000
		f.ask("a")
	}
	if a := f.ask("a"); a.Limit != before {
		t.Errorf("limit %d, had been %d", a.Limit, before)
	}
}

func TestAHiddenLimitCutsWhatIsUnderWay(t *testing.T) {
	f := newFleet(t, window(1000))
	f.known(1000, 8)
	r := f.of("a")
	r.uses = []Use{waiting("x", Batch, 40)}
	f.ask("a")
	r.refused++
	r.uses[0].Waiting = 100
	if a := f.ask("a"); sum(a.Grants) != 0 || a.Blocked != 0 {
		t.Fatalf("%+v", a)
	}
	r.done = r.sent - 15 // of forty
	if a := f.ask("a"); sum(a.Grants) != 5 {
		t.Errorf("%d granted with 15 under way and room for 20", sum(a.Grants))
	}
}

func slots(n int64) Parameters { return Parameters{Kind: Concurrency, Max: n} }

func TestSlotsAreGivenBack(t *testing.T) {
	f := newFleet(t, slots(8))
	f.meet("a", "b")
	for _, name := range []string{"a", "b"} {
		f.of(name).uses = []Use{waiting("x", Batch, 10)}
	}
	got := f.drain("a", "b")
	if got["x"] != 8 {
		t.Fatalf("%d slots of 8", got["x"])
	}
	f.of("a").done += 2
	f.of("a").uses[0].Spent -= 2
	f.of("a").uses[0].Waiting = 0
	f.ask("a")
	f.now += 100
	if got = f.drain("b", "a"); got["x"] != 2 {
		t.Fatalf("%d slots after two came back", got["x"])
	}
}

func TestADeadReplicasSlotsAreFreeInFiveSeconds(t *testing.T) {
	f := newFleet(t, slots(8))
	f.meet("a", "b")
	f.of("a").uses = []Use{waiting("x", Batch, 8)}
	f.drain("a")
	f.of("b").uses = []Use{waiting("x", Batch, 8)}
	died := f.now
	for sum(f.ask("b").Grants) == 0 {
		f.now += 100
		if f.now > died+5000 {
			t.Fatal("still held after 5 s")
		}
	}
	if f.now < died+leaseFor {
		t.Errorf("given away after %d ms, its lease had not ended", f.now-died)
	}
}

// When nobody was heard, the store was away and all slots may be in use.
func TestSlotsAfterTheStoreWasAway(t *testing.T) {
	f := newFleet(t, slots(8))
	f.meet("a", "b")
	f.of("a").uses = []Use{waiting("x", Batch, 8)}
	f.drain("a")
	f.now += 20000
	f.of("b").uses = []Use{waiting("x", Batch, 8)}
	if n := sum(f.ask("b").Grants); n != 0 {
		t.Fatalf("%d slots given twice", n)
	}
	f.ask("a")
	f.now += recoverFor + 1
	f.ask("a")
	if n := sum(f.ask("b").Grants); n != 0 {
		t.Errorf("%d slots given twice, later", n)
	}
}

func TestRefusedSlotsAreFewerForAMinute(t *testing.T) {
	f := newFleet(t, slots(8))
	f.meet("a")
	f.of("a").refused++
	if a := f.ask("a"); a.Limit != 7 {
		t.Fatalf("limit %d", a.Limit)
	}
	f.now += 60000
	f.ask("a")
	if a := f.ask("a"); a.Limit != 8 {
		t.Errorf("limit %d after a minute", a.Limit)
	}
}

func TestMarginOnlyWithOthers(t *testing.T) {
	f := newFleet(t, window(1000))
	f.known(1000, 8)
	if a := f.of("a").answer; a.Margin != 0 {
		t.Fatalf("margin %d without others", a.Margin)
	}
	f.now += 2000
	f.sees("a", f.of("a").name, 1000, f.of("a").sent+80, 6)
	a := f.ask("a")
	if a.External != 80 || a.Margin == 0 || a.Margin > 40 {
		t.Fatalf("external %d, margin %d", a.External, a.Margin)
	}
	f.with.Polite = true
	if p := f.ask("a"); p.Margin < 150 { // 80 in 4 s, 6 s to go
		t.Errorf("polite leaves %d", p.Margin)
	}
	f.with.Polite = false
	// Invariant I18: once they have gone, nothing is left for them.
	name := f.of("a").name
	for range 50 {
		name += 10000
		f.now = name - 9000
		f.ask("a")
		f.sees("a", name, 1000, f.of("a").sent+f.of("a").carry, 9)
		a = f.ask("a")
	}
	if a.Margin != 0 {
		t.Errorf("margin %d, 50 windows after others were seen last", a.Margin)
	}
}

// A guaranteed slot is kept for a caller that came lately, not for ever.
func TestGuaranteedSlotsAreLent(t *testing.T) {
	p := slots(8)
	p.SharesID, p.Shares = 1, []Share{{Caller: "shop", Weight: 1, Guarantee: Amount{Tokens: 3}}}
	f := newFleet(t, p)
	f.meet("a", "b")
	f.of("b").uses = []Use{waiting("shop", Interactive, 1)}
	f.ask("b")
	f.of("b").done, f.of("b").uses[0].Spent = 1, 0 // it came, and is over
	f.ask("b")
	f.of("a").uses = []Use{waiting("reports", Batch, 20)}
	if got := f.drain("a", "b"); got["reports"] != 5 {
		t.Fatalf("%d slots with three kept", got["reports"])
	}
	for range 600 {
		f.now += 1000
		f.ask("b")
		f.ask("a")
	}
	if n := f.of("a").uses[0].Spent; n != 8 {
		t.Errorf("%d slots, ten minutes after the guaranteed caller came last", n)
	}
}
