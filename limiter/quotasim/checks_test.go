package quotasim

import (
	"strings"
	"testing"
	"time"

	"iqgateway/limiter"
)

// TestChecksFail: each check fails for what its invariant forbids, and for
// nothing that is close to it but allowed.
func TestChecksFail(t *testing.T) {
	const limit = 100
	known := limiter.Answer{Epoch: 5, Mode: limiter.ModeKnown, Limit: limit, Grants: []int64{1}, Own: 60, External: 30, Margin: 10, Available: 1}
	ask := func(seq int64) limiter.Ask {
		return limiter.Ask{Replica: "r", Seq: seq, Uses: make([]limiter.Use, 1), Ahead: 4}
	}
	change := func(do func(*limiter.Answer)) limiter.Answer {
		a := known
		do(&a)
		return a
	}
	tests := []struct {
		name   string
		answer limiter.Answer
		broken string // none if empty
	}{
		{"all that is there", known, ""},
		{"one token too many", change(func(a *limiter.Answer) { a.Own++ }), "I1"},
		{"nothing granted of nothing", change(func(a *limiter.Answer) { a.Own, a.Grants = 99, []int64{0} }), ""},
		{"a grant for nobody", change(func(a *limiter.Answer) { a.Grants = []int64{1, 1} }), "I1"},
		{"a grant while blocked", change(func(a *limiter.Answer) { a.Blocked = 9 }), "I1"},
		{"an older epoch", change(func(a *limiter.Answer) { a.Epoch = 4 }), "I7"},
		{"less outside use", change(func(a *limiter.Answer) { a.External-- }), "I7"},
		{"less outside use in a new epoch", change(func(a *limiter.Answer) { a.Epoch, a.External = 6, 0 }), ""},
		{"as many tokens wasted as were held", change(func(a *limiter.Answer) { a.Closed = &limiter.Closed{Wasted: 5} }), ""},
		{"more tokens wasted than were held", change(func(a *limiter.Answer) { a.Closed = &limiter.Closed{Wasted: 6} }), "I11"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newWorld(Compared(1, 2), Design()).check
			c.acquired(ask(1), known, limit)
			c.acquired(ask(2), tt.answer, limit)
			expect(t, c, tt.broken)
		})
	}
}

func expect(t *testing.T, c *checks, broken string) {
	t.Helper()
	switch {
	case broken == "" && c.first != nil:
		t.Errorf("found %v", c.first)
	case broken != "" && (c.first == nil || c.first.Invariant != broken):
		t.Errorf("found %v, want %s", c.first, broken)
	}
}

// TestWindowChecksFail: what only the upstream knows.
func TestWindowChecksFail(t *testing.T) {
	tests := []struct {
		name   string
		do     func(c *checks, w *WindowCount, name int64)
		broken string
	}{
		{"all counted requests are booked", func(c *checks, w *WindowCount, name int64) {
			c.last = limiter.Answer{Mode: limiter.ModeKnown, Name: name, Own: w.Own}
			c.counted(w)
		}, ""},
		{"a counted request is not booked", func(c *checks, w *WindowCount, name int64) {
			c.last = limiter.Answer{Mode: limiter.ModeKnown, Name: name, Own: w.Own - 1}
			c.counted(w)
		}, "I2"},
		{"a refusal", func(c *checks, w *WindowCount, _ int64) { c.refusal(w, 0) }, "I3"},
		{"a refusal while others come", func(c *checks, w *WindowCount, _ int64) {
			c.under.outside = true
			c.refusal(w, 0)
		}, ""},
		{"as many refusals as replicas without the store", func(c *checks, w *WindowCount, _ int64) {
			c.under.storeAway, w.Refused = true, 4
			c.refusal(w, 0)
		}, ""},
		{"more refusals than replicas without the store", func(c *checks, w *WindowCount, _ int64) {
			c.under.storeAway, w.Refused = true, 5
			c.refusal(w, 0)
		}, "I16"},
		{"one of them long under way", func(c *checks, w *WindowCount, _ int64) {
			c.under.storeAway, w.Refused = true, 5
			c.refusal(w, overdue)
		}, ""},
		{"as many refusals as grants were lost", func(c *checks, w *WindowCount, _ int64) {
			c.lostWrites(10)
			c.under.storeLost, w.Refused = true, 14
			c.refusal(w, 0)
		}, ""},
		{"more refusals than grants were lost", func(c *checks, w *WindowCount, _ int64) {
			c.lostWrites(10)
			c.under.storeLost, w.Refused = true, 15
			c.refusal(w, 0)
		}, "I17"},
		{"the window ends before its time", func(c *checks, _ *WindowCount, name int64) {
			c.last = limiter.Answer{Epoch: 1, Name: name}
			c.follows(limiter.Answer{Epoch: 2})
		}, "I9"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(Compared(1, 2), Design())
			r := w.up.arrive(0, true)
			tt.do(w.check, r.window, origin().UnixMilli()+r.reset.Milliseconds())
			expect(t, w.check, tt.broken)
		})
	}
}

// TestQueueChecksFail: a request leaves the queue once, and in time.
func TestQueueChecksFail(t *testing.T) {
	tests := []struct {
		name   string
		do     func(c *checks, r *request, p *replica)
		broken string
	}{
		{"in time", func(c *checks, r *request, p *replica) { c.granted(r, p) }, ""},
		{"twice", func(c *checks, r *request, p *replica) { c.granted(r, p); c.granted(r, p) }, "I12"},
		{"late", func(c *checks, r *request, p *replica) {
			r.Deadline = p.now().Add(-20 * time.Millisecond)
			c.patience(r, p)
		}, "I12"},
		{"hardly late", func(c *checks, r *request, p *replica) {
			r.Deadline = p.now().Add(-9 * time.Millisecond)
			c.patience(r, p)
		}, ""},
		{"without a word", func(c *checks, r *request, p *replica) {
			c.refused(r, &limiter.Refusal{Reason: limiter.ReasonETA}, p)
		}, "I12"},
		{"awake for nothing", func(c *checks, _ *request, p *replica) {
			for range 1001 {
				c.woken(p)
			}
		}, "wake"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(Compared(1, 2), Design())
			w.now = time.Minute
			p := w.fleet.(*design).replicas[0]
			r := &request{}
			r.Deadline = p.now().Add(time.Second)
			w.check.queued(r, p)
			tt.do(w.check, r, p)
			expect(t, w.check, tt.broken)
		})
	}
}

// TestRepeatedGrantsAreCompared is I10 with a state that forgot the ask.
func TestRepeatedGrantsAreCompared(t *testing.T) {
	c := newWorld(Compared(1, 2), Design()).check
	ask := limiter.Ask{Replica: "r", Seq: 1, Uses: []limiter.Use{{Caller: "a", Waiting: 1}}}
	s := new(limiter.Shared)
	a := s.Acquire(ask, origin().UnixMilli())
	c.repeated(a, s, ask, origin().UnixMilli())
	expect(t, c, "")
	a.Grants = []int64{a.Grants[0] + 1}
	c.repeated(a, s, ask, origin().UnixMilli())
	expect(t, c, "I10")
}

func TestAReportShowsWhatHappened(t *testing.T) {
	c := newWorld(Compared(8, 2), Design()).check
	c.trace.add(1500*time.Millisecond, "something of %d", 7)
	c.fail("I0", "it is %s", "broken")
	c.fail("I1", "later")
	report := c.first.Report()
	for _, want := range []string{"I0 broken at 0s: it is broken (seed 8)", "1.500000 something of 7"} {
		if !strings.Contains(report, want) {
			t.Errorf("the report lacks %q:\n%s", want, report)
		}
	}
}
