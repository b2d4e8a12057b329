package limiter

import (
	"testing"
	"time"
)

// A name that lies a year ahead of all others is one answer's mistake.
func TestAStrayNameMakesNobodyDeaf(t *testing.T) {
	d := newDesk(t, settings())
	d.store = new(Shared)
	answer := func(name, remaining int64) {
		t.Helper()
		c := d.want("a", Interactive, time.Minute)
		d.pass(time.Second)
		if c.ticket == nil {
			t.Fatalf("no token: %+v", c.refusal)
		}
		o := headers(name, 1000, remaining)
		o.HasResetSeconds, o.ResetSeconds = true, 20
		d.local.Answered(d.now, c.ticket, o)
	}
	const year = int64(365 * 24 * 3600 * 1000)
	answer(1_000_000, 990)
	answer(1_000_000+year, 999)
	answer(1_000_000, 980)
	if got := d.local.ledger.name; got != 1_000_000 {
		t.Errorf("the window is named %d", got)
	}
	if got := d.local.seen[len(d.local.seen)-1]; got.name != 1_000_000 || got.used != 20 {
		t.Errorf("seen last: %+v", got)
	}
}

// Also if it was the very first: three answers that agree are believed.
func TestNamesOfAnotherClockAreBelievedInTheEnd(t *testing.T) {
	for name, c := range map[string]struct {
		names []int64 // seconds of offset, answer by answer
		want  []bool
		moved bool
	}{
		"steady":              {[]int64{0, 1, -1, 0}, []bool{true, true, true, true}, false},
		"one stray":           {[]int64{0, 9999, 0, 0}, []bool{true, false, true, true}, false},
		"strays that differ":  {[]int64{0, 9999, 5555, 7777, 0}, []bool{true, false, false, false, true}, false},
		"the first was stray": {[]int64{9999, 0, 0, 0, 0}, []bool{true, false, false, true, true}, true},
		"the clock was set":   {[]int64{0, 0, 600, 600, 600, 600}, []bool{true, true, false, false, true, true}, true},
	} {
		t.Run(name, func(t *testing.T) {
			var b believable
			moved := false
			for i, offset := range c.names {
				end := moment(i) * time.Second
				ok, now := b.judge(offset*1000+end.Milliseconds(), end, 5*time.Second)
				if ok != c.want[i] {
					t.Errorf("answer %d: believed %v", i, ok)
				}
				moved = moved || now
			}
			if moved != c.moved {
				t.Errorf("another clock: %v", moved)
			}
		})
	}
}
