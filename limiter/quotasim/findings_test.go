package quotasim

import "testing"

// TestOpenFindings runs the seeds that are known to break an invariant, with
// what breaks it. It is of the long form, as the runs that they are from; a seed
// that breaks nothing any more is to be taken off the list.
func TestOpenFindings(t *testing.T) {
	if !*long {
		t.Skip("no -long")
	}
	tests := []struct {
		seed      uint64
		invariant string
		why       string
	}{
		{3488, "I14", "requests carried into a window count as under way until it ends, and a cut after a 429 without fields leaves no room beside them"},
		{3624, "I14", "tokens of a small window are kept for guarantees whose callers do not come"},
		{5064, "I7", "names a window apart are taken for one while its length is unknown, and the window for a sliding one"},
		{5508, "I5", "reserves are kept until the upper bound of the window's end, a second after it"},
	}
	for _, tt := range tests {
		_, v := Run(Draw(tt.seed), Design())
		switch {
		case v == nil:
			t.Errorf("seed %d breaks nothing any more (%s)", tt.seed, tt.why)
		case v.Invariant != tt.invariant:
			t.Errorf("seed %d: %v, want %s: %s", tt.seed, v, tt.invariant, tt.why)
		}
	}
}
