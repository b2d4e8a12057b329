package clocktest_test

import (
	"testing"
	"time"

	"iqgateway/internal/clocktest"
)

// The clock is what it says it is, whatever package time makes of its words.
func TestStepMovesTheWallAlone(t *testing.T) {
	for name, jump := range clocktest.Jumps() {
		c := clocktest.New()
		before := c.Now()
		c.Step(jump)
		c.Pass(time.Minute)
		after := c.Now()
		if d := after.Sub(before); d != time.Minute {
			t.Errorf("%s: by the monotonic clock %s have passed", name, d)
		}
		if d, want := after.Round(0).Sub(before.Round(0)), jump.Truncate(time.Second)+time.Minute; d != want {
			t.Errorf("%s: by the wall clock %s, want %s", name, d, want)
		}
	}
}
