package quotasim

import (
	"time"

	"iqgateway/limiter"
)

// idle checks that requests do not wait while there is quota that is kept for
// nobody, and nothing is done.
func (c *checks) idle(d *design) {
	const heartbeat, slack = time.Second, 500 * time.Millisecond
	a, u := c.last, c.under
	if c.forgot || u.storeAway || u.storeLost || u.faults || u.misled || a.Mode != limiter.ModeKnown ||
		u.outside && a.Limit < 50 || // the last tokens wait for the answers to those before
		c.cutAt > 0 && c.w.now-c.cutAt < 70*time.Second || // a cut lasts a minute, from the answer on
		a.Blocked > 0 || c.w.now-max(c.sentAt, c.roomAt) < heartbeat+slack {
		return
	}
	for _, p := range d.replicas {
		for r := range p.queue {
			if c.w.now-r.came > heartbeat+slack && a.Available > c.w.kept(r, a.Limit) {
				c.fail("I14", "request %d waits for %v and %d of %d are left", r.number, c.w.now-r.came, a.Available, a.Limit)
				return
			}
		}
	}
}

// kept is the most that may be kept for others while the request waits: what is
// guaranteed, a part for the other classes, and for requests that are not
// interactive all that interactive callers may take, as far as any are expected.
func (w *world) kept(r *request, limit int64) int64 {
	kept := 2 + limit/10
	caps := map[string]int64{}
	for _, s := range w.Settings.Shares {
		kept += s.Guarantee.Of(limit)
		if !s.Cap.None() {
			caps[s.Caller] = max(1, s.Cap.Of(limit))
		}
	}
	if _, capped := caps[r.Caller]; capped {
		return limit
	}
	for _, d := range w.Demand {
		if d.Class >= r.Class {
			continue
		}
		if most, capped := caps[d.Caller]; capped {
			kept += most
		} else {
			return limit
		}
	}
	return kept
}
