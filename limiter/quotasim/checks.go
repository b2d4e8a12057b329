package quotasim

import (
	"fmt"
	"time"

	"iqgateway/limiter"
)

// checks watches a run and keeps the first invariant that it breaks. Which
// invariant a check is of stands in its call of fail.
type checks struct {
	w     *world
	under conditions
	trace trace
	first *Violation
	off   bool // the strategy promises nothing

	last      limiter.Answer     // of the store, received or not
	forgot    bool               // the store has lost what last says
	granted64 int64              // tokens, over the whole run
	members   map[string]*member // of the last epoch, by replica
	sentAt    time.Duration      // when a request was sent last
	roomAt    time.Duration      // since when there are tokens
	excuse    int64              // 429s that lost writes may have caused
	cutAt     time.Duration      // when a 429 came last that closes no window, but cuts what is under way
	overdue   map[*WindowCount]int64
}

func newChecks(w *world, off bool) *checks {
	return &checks{w: w, off: off, under: w.conditions(), members: map[string]*member{}, overdue: map[*WindowCount]int64{}}
}

// fail ends the run.
func (c *checks) fail(invariant, format string, args ...any) {
	if c.off || c.first != nil {
		return
	}
	c.first = &Violation{
		Invariant: invariant, Seed: c.w.Seed, At: c.w.now,
		Text: fmt.Sprintf(format, args...), Trace: c.trace.tail(),
	}
	c.w.stop()
}

// begin has the checks made that nothing else triggers.
func (c *checks) begin(d *design) {
	const every = 250 * time.Millisecond
	var next func()
	next = func() {
		c.queues(d)
		c.idle(d)
		c.w.after(every, next)
	}
	c.w.after(every, next)
}

// arrived checks a request that has reached the upstream.
func (c *checks) arrived(r *request, a reply) {
	c.trace.add(c.w.now, "request %d counts: status %d, own %d, outside %d of %d",
		r.number, a.status, a.window.Own, a.window.External, a.limit)
	if a.status == 429 && (a.silent || a.remaining > 0) {
		c.cutAt = c.w.now
	}
	if a.status == 429 && a.remaining == 0 {
		c.refusal(a.window, c.w.now-r.sent)
	}
	c.counted(a.window)
}

// overdue is how long a request may take to the upstream before the replicas,
// which do not hear of each other without the store, cannot reckon with it.
const overdue = time.Second

// refusal checks a 429 to a request that was under way for so long.
func (c *checks) refusal(w *WindowCount, underWay time.Duration) {
	u := c.under
	if u.outside || u.misled {
		return
	}
	switch {
	case u.storeLost:
		if w.Refused > c.excuse+c.w.alone(w) {
			c.fail("I17", "%d 429s in the window that ends at %v; the store lost %d grants", w.Refused, w.End, c.excuse)
		}
	case u.storeAway:
		if underWay >= overdue {
			c.overdue[w]++
		}
		if most := c.w.alone(w) + c.overdue[w]; w.Refused > most {
			c.fail("I16", "%d 429s in the window that ends at %v, at most %d can be", w.Refused, w.End, most)
		}
	default:
		c.fail("I3", "a 429 in the window that ends at %v", w.End)
	}
}

// counted checks that the fleet has booked what the upstream has counted.
func (c *checks) counted(w *WindowCount) {
	a := c.last
	if c.forgot || c.under.storeLost || c.under.storeAway || c.under.misled || a.Name == 0 || a.Mode != limiter.ModeKnown {
		return
	}
	if c.w.up.named(a.Name) == w && w.Own > a.Own {
		c.fail("I2", "the upstream counts %d requests of the fleet, which has booked %d", w.Own, a.Own)
	}
}

// end checks what only a whole run shows.
func (c *checks) end() {
	if c.first == nil {
		c.utilisation()
	}
}

// utilisation checks that a saturated window is used, as far as the requests
// arrive in it. What is kept for guarantees and for interactive callers is kept
// until the window is over for certain, which may be a second later.
func (c *checks) utilisation() {
	u := c.under
	if !u.saturated || !u.fine || u.outside || u.misled || u.storeAway || u.storeLost || u.faults || u.losses {
		return
	}
	least := int64(99)
	if c.w.reserves() {
		least = 90
	}
	for _, w := range c.w.record.result("").Full(c.w.Length()) {
		if limit := c.w.usable(&w); (w.Own+w.Late+1)*100 < limit*least {
			c.fail("I5", "%d of %d used in the window that ends at %v, and %d sent too late", w.Own, limit, w.End, w.Late)
		}
	}
}

// alone is how many tokens too many may be spent in a window while the store is
// away: one per replica, and another one where it comes back or goes within the
// window. If only some of them do not reach it, the others are granted what is
// left of the window, and their share comes on top. In windows that are not much
// longer than an answer takes, what is left is told too late.
func (w *world) alone(c *WindowCount) int64 {
	n := int64(w.Fleet.most())
	p := w.Store
	apart := p.LostAsk > 0 || p.LostReply > 0 || p.slowest() > p.Timeout || w.Upstream.Window < 10*time.Second
	mixed := false
	for _, e := range p.Events {
		apart = apart || e.Kind == Partition
		mixed = mixed || e.At > c.Begin && e.At < c.End || e.At+e.For > c.Begin && e.At+e.For < c.End
	}
	switch {
	case apart:
		return 2*n + c.Limit/2
	case mixed:
		return 2 * n
	default:
		return n
	}
}

// reserves reports whether tokens are kept for some of the callers.
func (w *world) reserves() bool {
	for _, s := range w.Settings.Shares {
		if !s.Guarantee.None() {
			return true
		}
	}
	for _, d := range w.Demand {
		if d.Class != w.Demand[0].Class {
			return true
		}
	}
	return false
}

// usable is what the fleet may have of a window.
func (w *world) usable(c *WindowCount) int64 {
	if w.Settings.Max > 0 {
		return min(w.Settings.Max, c.Limit)
	}
	return c.Limit
}

// most is the largest number of replicas at once, those that crashed included:
// what they held may still be spent by those that come after.
func (f Fleet) most() int {
	n := f.Replicas
	for _, e := range f.Events {
		if e.Kind == Join || e.Kind == Crash && e.For > 0 {
			n++
		}
	}
	return n
}
