package proxy

import (
	"testing"
	"time"
)

func TestResetsThatEndTheConnection(t *testing.T) {
	const never = -1 * time.Second // the request is answered
	always := func(age time.Duration) func(int) time.Duration { return func(int) time.Duration { return age } }
	start := time.Unix(1_700_000_000, 0)
	for name, tt := range map[string]struct {
		requests int
		every    time.Duration
		age      func(i int) time.Duration
		asked    bool
		over     bool
	}{
		"a flood":                     {madeToEnd + 2, time.Millisecond, always(0), true, true},
		"one page that is left":       {askedToEnd - 1, 0, always(0), false, false},
		"a large page that is left":   {madeToEnd - 1, 0, always(0), true, false},
		"few, for long":               {10_000, time.Second / forgivenPerSecond, always(0), false, false},
		"all are answered":            {10_000, time.Microsecond, always(never), false, false},
		"readers who waited":          {60, 0, always(700 * time.Millisecond), false, false},
		"readers of a slow upstream":  {10_000, 2 * time.Millisecond, always(300 * time.Millisecond), false, false},
		"a flood that waits a little": {10_000, time.Millisecond / 10, always(hasty), true, true},
		"those who waited for long":   {10_000, time.Millisecond / 10, always(impatient), false, false},
		"every second one is reset":   {10_000, time.Millisecond, func(i int) time.Duration { return never * time.Duration(i%2) }, false, false},
		"two of three are reset":      {10_000, time.Millisecond, func(i int) time.Duration { return never * time.Duration(i%3/2) }, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			c := &resets{}
			asked := 0
			for i := range tt.requests {
				now := start.Add(time.Duration(i) * tt.every)
				if age := tt.age(i); age >= 0 {
					c.reset(now, age)
				} else {
					c.answered(now)
				}
				if c.mustAsk() {
					asked++
				}
			}
			if over := c.over.Load(); over != tt.over || (asked == 1) != tt.asked || asked > 1 {
				t.Errorf("asked %d times, over %t; want %t, %t", asked, over, tt.asked, tt.over)
			}
		})
	}
}
