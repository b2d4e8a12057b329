package quotasim

import (
	"time"

	"iqgateway/limiter"
)

// The bounds of a replica's queue, and how late a request may leave it.
const (
	mostWaiting   = 1000
	leastOfCaller = 100
	leaveSlack    = 10 * time.Millisecond
)

// queued notes that a request comes to a replica.
func (c *checks) queued(r *request, p *replica) { p.queue[r] = struct{}{} }

// bounds checks the queue of a replica after a request came.
func (c *checks) bounds(p *replica) {
	if len(p.queue) > mostWaiting {
		c.fail("I12", "%d requests wait on replica %d", len(p.queue), p.number)
	}
}

// places checks that a caller who is told that too many wait had its own places
// in use.
func (c *checks) places(r *request, p *replica) {
	n := 0
	for q := range p.queue {
		if q.Caller == r.Caller {
			n++
		}
	}
	if n < leastOfCaller && len(p.queue) < mostWaiting {
		c.fail("I12", "request %d of %s is refused as too many, %d of its caller and %d in all wait on replica %d", r.number, r.Caller, n, len(p.queue), p.number)
	}
}

// granted checks a request that leaves with a token.
func (c *checks) granted(r *request, p *replica) {
	c.trace.add(c.w.now, "request %d of %s %s granted by replica %d", r.number, r.Caller, r.Class, p.number)
	c.leaves(r, p)
	c.sentAt, r.sent = c.w.now, c.w.now
}

// refused checks a request that leaves without one.
func (c *checks) refused(r *request, f *limiter.Refusal, p *replica) {
	c.trace.add(c.w.now, "request %d of %s %s refused by replica %d: %s", r.number, r.Caller, r.Class, p.number, f.Reason)
	if f.Reason == limiter.ReasonFull {
		c.places(r, p)
	}
	c.leaves(r, p)
	if f.Reason != limiter.ReasonLeft && f.RetryAfter <= 0 {
		c.fail("I12", "request %d is refused (%s) without being told when to come again", r.number, f.Reason)
	}
}

func (c *checks) leaves(r *request, p *replica) {
	if _, in := p.queue[r]; !in || r.state != waiting {
		c.fail("I12", "request %d leaves the queue of replica %d and is not in it", r.number, p.number)
	}
	delete(p.queue, r)
	c.patience(r, p)
}

// patience checks that a request waits no longer than it may.
func (c *checks) patience(r *request, p *replica) {
	if late := p.now().Sub(r.Deadline); late > leaveSlack && p.paused < p.when(r.Deadline) {
		c.fail("I12", "request %d waits %v longer than it may on replica %d", r.number, late, p.number)
	}
}

// queues checks all that wait.
func (c *checks) queues(d *design) {
	for _, p := range d.replicas {
		if c.w.now < p.paused {
			continue
		}
		for r := range p.queue {
			c.patience(r, p)
		}
	}
}

// woken checks that a replica does not wake up again and again for nothing.
func (c *checks) woken(p *replica) {
	const most = 1000
	if second := c.w.now.Truncate(time.Second); second != p.second {
		p.second, p.wakes = second, 0
	}
	if p.wakes++; p.wakes > most {
		c.fail("wake", "replica %d wakes up %d times in a second", p.number, p.wakes)
	}
}

// ended notes that a process is gone, with all that waited in it.
func (c *checks) ended(p *replica) {
	for r := range p.queue {
		c.w.abandon(r)
	}
	clear(p.queue)
}
