package limiter

import "testing"

// A paced limit recovers with each epoch in which nothing was refused; a refusal
// that was heard of when an epoch began is of that epoch.
func TestPacesRecoverAfterACleanEpoch(t *testing.T) {
	ring := make([]int64, ringSlices+1)
	for _, tt := range []struct {
		name   string
		mode   Mode
		ring   []int64
		factor float64
		cut    int64 // when it was, after the epoch began
		want   float64
	}{
		{"clean", ModeLimitOnly, ring, 0.5, -1, 0.6},
		{"refused when it began", ModeLimitOnly, ring, 0.5, 0, 0.5},
		{"refused in it", ModeLimitOnly, ring, 0.5, 1, 0.5},
		{"whole again", ModeSliding, ring, 0.95, -1, 1},
		{"blind", ModeBlind, ring, 4, -1, 5},
		{"blind, refused in it", ModeBlind, ring, 4, 1, 4},
		{"not paced", ModeKnown, nil, 0.5, -1, 0.5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := Shared{Mode: tt.mode, Ring: tt.ring, Factor: tt.factor, Opened: epoch0, CutAt: epoch0 + tt.cut}
			if s.pace(); s.Factor != tt.want {
				t.Errorf("%v, want %v", s.Factor, tt.want)
			}
		})
	}
}

// The epoch of a refusal ends without any recovery, the next with some.
func TestAPaceStaysHalvedUntilTheEpochAfter(t *testing.T) {
	f := newFleet(t, Parameters{Kind: Window})
	r := f.of("a")
	r.uses = []Use{waiting("x", Batch, 1)}
	f.ask("a")
	r.unnamed, r.limit = 1, 1000
	f.ask("a")
	f.now += 30_000
	r.refused++
	f.ask("a")
	for i, want := range []int64{450, 540, 630} { // nine tenths of half of the limit
		f.now = epoch0 + int64(i+1)*60_000
		if a := f.ask("a"); a.Limit != want {
			t.Errorf("limit %d after %d epochs, want %d", a.Limit, i+1, want)
		}
	}
}
