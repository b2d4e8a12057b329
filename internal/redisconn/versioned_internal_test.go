package redisconn

import (
	"testing"
	"time"
)

const aMoment = 1_773_000_000_000_000 // microseconds

func TestVersionsGrow(t *testing.T) {
	tests := map[string]struct {
		state Stored
		next  uint64
		age   time.Duration
	}{
		"none":                  {Stored{Now: aMoment}, aMoment, aMoment * time.Microsecond},
		"older":                 {Stored{Now: aMoment, Version: "1772999940000000"}, aMoment, time.Minute},
		"the same moment":       {Stored{Now: aMoment, Version: "1773000000000000"}, aMoment + 1, 0},
		"a clock set back":      {Stored{Now: aMoment, Version: "1773000001000000"}, aMoment + 1_000_001, 0},
		"from the far future":   {Stored{Now: aMoment, Version: "18446744073709551615"}, aMoment, 0},
		"no number":             {Stored{Now: aMoment, Version: "x"}, aMoment, aMoment * time.Microsecond},
		"no number and no time": {Stored{Version: "-1"}, 1, 0},
	}
	for name, tt := range tests {
		if got := tt.state.next(20 * time.Minute); got != tt.next {
			t.Errorf("%s: next %d, want %d", name, got, tt.next)
		}
		if got := tt.state.Age(); got != tt.age {
			t.Errorf("%s: age %v, want %v", name, got, tt.age)
		}
	}
}
