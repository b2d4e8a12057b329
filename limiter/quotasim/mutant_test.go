package quotasim

import (
	"strings"
	"testing"
	"time"

	"iqgateway/limiter"
)

// TestMutants: a fleet that does something wrong is found out, by the invariant
// that forbids it. A check that no mutant fails would prove nothing.
func TestMutants(t *testing.T) {
	tests := []struct {
		name   string
		broken string // one of these
		mutate Mutation
	}{
		{"requests under way are not carried over", "I2 I3", Mutation{Ask: func(a *limiter.Ask) {
			a.Done, a.Carry = a.Sent, 0
		}}},
		{"what was spent is not told", "I2 I3", Mutation{Ask: func(a *limiter.Ask) {
			a.Sent /= 2
		}}},
		{"the store grants more than it books", "I2 I3", Mutation{Answer: func(a *limiter.Answer) {
			if a.Pool > 0 {
				a.Pool++
			}
			for i, n := range a.Grants {
				if n > 0 {
					a.Grants[i]++
				}
			}
		}}},
		{"windows end a second early", "I9 I3", Mutation{Observation: func(o *limiter.Observation) {
			o.ResetSeconds = max(0, o.ResetSeconds-3)
		}}},
		{"others are not seen", "I1", Mutation{Answer: func(a *limiter.Answer) {
			a.External += a.Limit
		}}},
		{"the epoch goes back", "I7", Mutation{Answer: func(a *limiter.Answer) {
			if a.Now%7 == 0 {
				a.Epoch--
			}
		}}},
		{"nothing is granted any more", "I14 I5", Mutation{Answer: func(a *limiter.Answer) {
			if a.Mode == limiter.ModeKnown {
				clear(a.Grants)
				a.Pool = 0
			}
		}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for seed := range uint64(40) {
				s := Compared(seed+1, 5)
				s.Upstream.Limit, s.Upstream.Window, s.Network.Tail = 200, 10*time.Second, 0.05
				s.want(1.3)
				if _, v := Run(s, Mutant(tt.mutate)); v != nil {
					if !strings.Contains(tt.broken, v.Invariant) {
						t.Errorf("found out by %v, want %s", v, tt.broken)
					}
					return
				}
			}
			t.Error("nobody has noticed")
		})
	}
}
