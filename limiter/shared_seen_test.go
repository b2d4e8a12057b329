package limiter

import "testing"

// A 429 is unexpected, and teaches a margin, only if tokens were left by the
// fleet's own count, and only the first of a window.
func TestARefusalOfASpentWindowIsExpected(t *testing.T) {
	for _, tt := range []struct {
		left, unexpected int64
	}{{0, 0}, {1, 1}, {50, 1}} {
		f := newFleet(t, window(100))
		f.known(100, 5)
		r := f.of("a")
		r.uses = []Use{waiting("x", Batch, 100-tt.left-r.sent)}
		if a := f.ask("a"); a.Available != tt.left {
			t.Fatalf("%d are left, want %d", a.Available, tt.left)
		}
		for i, want := range []int64{tt.unexpected, 0} {
			f.sees("a", r.name, 100, r.sent, 5)
			r.seen[0].Spent++
			if a := f.ask("a"); a.Unexpected != want || a.Blocked == 0 {
				t.Errorf("%d left, 429 number %d: %d unexpected, want %d; blocked until %d", tt.left, i+1, a.Unexpected, want, a.Blocked)
			}
		}
		if learned := f.shared.Adapt > 0; learned != (tt.unexpected > 0) {
			t.Errorf("%d left: a margin of %v is learned", tt.left, f.shared.Adapt)
		}
	}
}

// Refusals of one moment are one: what their requests met was the same limit. A
// moment is a second, or as long as the upstream takes to answer.
func TestRefusalsOfOneMomentCountOnce(t *testing.T) {
	ring := make([]int64, ringSlices+1)
	factor := func(s *Shared) float64 { return s.Factor }
	cut := func(s *Shared) float64 { return float64(s.Cut) }
	paced := func(mode Mode, f float64, slice int64) Shared {
		return Shared{Mode: mode, Ring: ring, Slice: epoch0 / slice, Limit: 1000, Factor: f}
	}
	known := Shared{Mode: ModeKnown, Named: confirmed, Limit: 1000, Lo: epoch0 + 50_000, Hi: epoch0 + 51_000}
	tests := []struct {
		name        string
		s           Shared
		with        Parameters
		of          func(*Shared) float64
		first, next float64
	}{
		{"a paced limit", paced(ModeLimitOnly, 1, 6000), Parameters{Kind: Window}, factor, 0.5, 0.25},
		{"a blind rate", paced(ModeBlind, 8, 200), Parameters{Kind: Window}, factor, 4, 2},
		{"slots", Shared{Mode: ModeSlots}, slots(8), cut, 7, 6},
		{"half of what is under way", known, Parameters{Kind: Window}, cut, 20, 8},
	}
	for _, tt := range tests {
		for rtt, moment := range map[int64]int64{0: 1000, 20: 1000, 1001: 1001, 3000: 3000} {
			s := *tt.s.Clone()
			s.Epoch, s.Opened, s.Last, s.Born, s.RTT = 1, epoch0, epoch0, epoch0, rtt
			told := map[string]int64{}
			for i, step := range []struct {
				replica      string
				after, under int64 // under way at that replica
				want         float64
				at           int64 // of the cut, after epoch0
			}{
				{"a", 0, 40, tt.first, 0},
				{"b", 0, 0, tt.first, 0}, // it met the same
				{"a", moment / 2, 30, tt.first, 0},
				{"a", moment - 1, 20, tt.first, 0},
				{"a", moment, 16, tt.next, moment},
				{"b", moment + 1, 0, tt.next, moment},
			} {
				told[step.replica]++
				n := told[step.replica]
				s.Acquire(Ask{
					Replica: step.replica, Seq: n, Epoch: s.Epoch, Parameters: tt.with, Refused: n, Flight: step.under,
				}, epoch0+step.after)
				if got := tt.of(&s); got != step.want || s.CutAt != epoch0+step.at {
					t.Errorf("%s, answers in %d ms: refusal %d, after %d ms: %v of %d ms, want %v of %d ms",
						tt.name, rtt, i+1, step.after, got, s.CutAt-epoch0, step.want, step.at)
				}
			}
		}
	}
}
