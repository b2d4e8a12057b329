package limiter

import (
	"encoding/json"
	"reflect"
	"testing"
)

func TestARepeatedAskGetsTheSameAndChangesNothing(t *testing.T) {
	f := newFleet(t, window(100))
	f.known(100, 8)
	f.of("a").uses = []Use{waiting("x", Batch, 30)}
	ask := f.askOf("a")
	ask.Seq++
	first := f.shared.Acquire(ask, f.now)
	before := f.shared.Clone()
	for range 3 {
		f.now += 40
		again := f.shared.Acquire(ask, f.now)
		if !reflect.DeepEqual(again.Grants, first.Grants) || again.Pool != first.Pool || again.Epoch != first.Epoch {
			t.Fatalf("first %+v, then %+v", first, again)
		}
	}
	before.Trips += 3
	if !reflect.DeepEqual(before, &f.shared) {
		t.Errorf("the state has changed:\n%+v\n%+v", *before, f.shared)
	}
	// A delayed one of before must not turn back what came since.
	ask.Seq, ask.Sent = ask.Seq+1, 50
	f.shared.Acquire(ask, f.now)
	own := f.shared.own()
	ask.Seq, ask.Sent = ask.Seq-1, 1
	f.shared.Acquire(ask, f.now)
	if f.shared.own() != own {
		t.Errorf("an old ask changed what is booked from %d to %d", own, f.shared.own())
	}
}

func TestAskIsNotChanged(t *testing.T) {
	f := newFleet(t, window(100))
	f.known(100, 8)
	f.of("a").uses = []Use{waiting("x", Batch, 30)}
	ask := f.askOf("a")
	ask.Seq++
	text, _ := json.Marshal(ask)
	f.shared.Acquire(ask, f.now)
	if after, _ := json.Marshal(ask); string(after) != string(text) {
		t.Errorf("was %s\nis  %s", text, after)
	}
}

func TestTheStateSurvivesJSON(t *testing.T) {
	f := newFleet(t, window(100))
	f.known(100, 8)
	f.of("a").uses = []Use{waiting("x", Batch, 30)}
	f.ask("a")
	text, err := json.Marshal(&f.shared)
	if err != nil {
		t.Fatal(err)
	}
	var back Shared
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if again, _ := json.Marshal(&back); string(again) != string(text) {
		t.Errorf("was %s\nis  %s", text, again)
	}
}

func TestUnspentTokensComeBack(t *testing.T) {
	f := newFleet(t, window(1000))
	f.known(1000, 50)
	f.of("a").ahead = 10
	own := f.ask("a").Own
	f.of("a").keep, f.of("a").ahead = 0, 0
	if a := f.ask("a"); a.Own != own-10 {
		t.Errorf("own %d after returning 10 of %d", a.Own, own)
	}
}

// A store that has lost writes takes the replicas' word, and is careful until
// all have told.
func TestLostWritesAreRepaired(t *testing.T) {
	f := newFleet(t, window(100))
	f.known(100, 8)
	f.meet("b")
	old := f.shared.Clone()
	f.of("a").uses = []Use{waiting("x", Batch, 100)}
	for range 20 {
		f.ask("a")
	}
	f.shared = *old // fails over to a copy of before
	spent := f.of("a").sent
	f.of("a").uses[0].Waiting = 0
	if a := f.ask("a"); !a.Repaired || a.Own != spent {
		t.Fatalf("repaired %v, own %d of %d", a.Repaired, a.Own, spent)
	}
	f.of("b").uses = []Use{waiting("x", Batch, 100)}
	left := f.of("a").answer.Available
	if a := f.ask("b"); sum(a.Grants) > max(1, left/4) {
		t.Errorf("%d of %d granted while not all have told", sum(a.Grants), left)
	}
}

// A store that was emptied finds the window again by its name.
func TestAnEmptiedStoreIsTold(t *testing.T) {
	f := newFleet(t, window(100))
	f.known(100, 8)
	f.of("a").uses = []Use{waiting("x", Batch, 60)}
	for range 20 {
		f.ask("a")
	}
	f.sees("a", f.of("a").name, 100, f.of("a").sent, 8)
	f.of("a").done = f.of("a").sent - 5
	spent := f.of("a").sent
	f.shared = Shared{}
	a := f.ask("a")
	if a.Mode != ModeKnown || a.Own != spent || a.External != 0 || a.Available != 100-spent {
		t.Fatalf("%+v, spent %d", a, spent)
	}
}

// Another server's clock says nothing about when our window ends.
func TestAClockThatJumpsEndsNoWindow(t *testing.T) {
	for name, jump := range map[string]int64{"forwards": 600_000, "backwards": -600_000} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t, window(100))
			f.known(100, 8)
			f.of("a").uses = []Use{waiting("x", Batch, 200)}
			for range 20 {
				f.ask("a")
			}
			f.of("a").at = f.now
			f.now += jump
			f.of("a").seen = nil // not told again yet
			a := f.ask("a")
			if a.Closed != nil || sum(a.Grants) != 0 || a.Own != 100 {
				t.Fatalf("%+v", a)
			}
			f.of("a").at = f.now
			if a = f.ask("a"); a.Hi != 0 || sum(a.Grants) != 0 {
				t.Errorf("an end is known by nobody's clock: %+v", a)
			}
		})
	}
}

func TestAReplicaThatLeaves(t *testing.T) {
	f := newFleet(t, window(1000))
	f.known(1000, 50)
	f.of("b").ahead = 10
	f.ask("b")
	f.of("b").keep, f.of("b").leaving = 0, true
	if a := f.ask("b"); a.Own != f.of("a").sent || a.Pool != 0 {
		t.Fatalf("%+v", a)
	}
	if a := f.ask("a"); a.Replicas != 1 {
		t.Errorf("%d replicas", a.Replicas)
	}
}

// What a dead replica was granted stays counted until the window ends.
func TestADeadReplicasTokensStayCounted(t *testing.T) {
	f := newFleet(t, window(100))
	f.known(100, 8)
	name := f.of("a").name
	f.meet("b")
	f.of("b").uses = []Use{waiting("x", Batch, 10)}
	got := sum(f.ask("b").Grants)
	f.now += leaseFor + 1
	if a := f.ask("a"); a.Own != f.of("a").sent+got || a.Replicas != 1 {
		t.Fatalf("own %d, replicas %d", a.Own, a.Replicas)
	}
	f.now += 6006
	if a := f.ask("a"); a.Own != got {
		t.Errorf("%d carried, want the %d that may still arrive", a.Own, got)
	}
	f.sees("a", name+20000, 100, 1, 8)
	f.ask("a")
	f.now += forgetAfter
	if a := f.ask("a"); a.Own != 0 {
		t.Errorf("%d carried for ever", a.Own)
	}
}

// A replica cannot have done more than it sent: what it tells beyond would make
// room in the next window for requests that never were.
func TestNoMoreIsDoneThanWasSent(t *testing.T) {
	for _, tt := range []struct{ done, carried int64 }{{0, 10}, {4, 6}, {10, 0}, {50, 0}} {
		f := newFleet(t, window(100))
		f.known(100, 5)
		r := f.of("a")
		r.uses = []Use{waiting("x", Batch, 9)}
		f.ask("a")
		r.done = tt.done // of ten
		f.ask("a")
		f.now += 6006
		f.ask("b") // the window has ended
		if got := f.shared.own(); got != tt.carried {
			t.Errorf("%d of %d done: %d are carried, want %d", tt.done, r.sent, got, tt.carried)
		}
	}
}

// What a replica counts since its start is news to a store that has heard of it
// before, or if the replica is new. A store that was emptied knows nothing of
// the time in between.
func TestAnEmptiedStoreHearsNoOldRefusals(t *testing.T) {
	for _, tt := range []struct {
		name  string
		seqs  []int64
		told  []int64 // refused and unnamed answers, with each ask
		mode  Mode
		cuts  bool
		count int64 // of answers without a name
	}{
		{"a new replica", []int64{1}, []int64{5}, ModeBlind, true, 5},
		{"one that goes on", []int64{1, 2}, []int64{0, 5}, ModeBlind, true, 5},
		{"one of before", []int64{9}, []int64{5}, ModeCold, false, 0},
		{"and what it tells next", []int64{9, 10}, []int64{5, 7}, ModeCold, true, 2},
		{"which may be nothing new", []int64{9, 10}, []int64{5, 5}, ModeCold, false, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var s Shared
			for i, seq := range tt.seqs {
				s.Acquire(Ask{
					Replica: "a", Seq: seq, Epoch: s.Epoch, Parameters: Parameters{Kind: Window},
					Refused: tt.told[i], Unnamed: tt.told[i],
				}, epoch0+int64(i)*100)
			}
			if s.Mode != tt.mode || (s.CutAt > 0) != tt.cuts || s.Unnamed != tt.count {
				t.Errorf("%s, cut at %d, %d answers without a name", s.Mode, s.CutAt, s.Unnamed)
			}
		})
	}
}
