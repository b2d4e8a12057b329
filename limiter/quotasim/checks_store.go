package quotasim

import (
	"reflect"

	"iqgateway/limiter"
)

// acquired checks an answer of the store, at the instant when it is made; limit
// is the upstream's, as the store knows it.
func (c *checks) acquired(ask limiter.Ask, a limiter.Answer, limit int64) {
	granted := tokens(a)
	c.trace.add(c.w.now, "ask %d of %s: epoch %d sent %d keep %d done %d carry %d ahead %d seen %v -> epoch %d %s granted %v+%d own %d outside %d margin %d of %d again %d blocked %d",
		ask.Seq, ask.Replica, ask.Epoch, ask.Sent, ask.Keep, ask.Done, ask.Carry, ask.Ahead, ask.Seen,
		a.Epoch, a.Mode, a.Grants, a.Pool, a.Own, a.External, a.Margin, a.Limit, a.Again-a.Now, a.Blocked)
	c.granted64 += granted
	m := c.member(ask.Replica)
	if ask.Seq < m.seq {
		return // late, and so is its answer: the replica does not wait for it any more
	}
	fresh := ask.Seq > m.seq
	m.seq, m.ahead, m.granted = ask.Seq, max(m.ahead, ask.Ahead), granted
	if fresh {
		c.grants(ask, a, granted, limit)
	}
	if !c.forgot {
		c.follows(a)
	}
	if c.last.Epoch != a.Epoch || c.last.Available <= a.Limit/10+2 {
		c.roomAt = c.w.now
	}
	c.last, c.forgot = a, false
	if w := c.w.up.named(a.Name); w != nil {
		c.counted(w)
	}
	c.closed(a)
}

// grants checks what was granted now.
func (c *checks) grants(ask limiter.Ask, a limiter.Answer, granted, limit int64) {
	switch {
	case len(a.Grants) != len(ask.Uses) || a.Pool < 0:
		c.fail("I1", "grants %v and pool %d for %d uses", a.Grants, a.Pool, len(ask.Uses))
	case granted > 0 && a.Mode == limiter.ModeKnown && (a.Own > a.Limit || a.Own+a.External+a.Margin > limit):
		c.fail("I1", "%d granted: own %d of %d, outside %d and margin %d exceed %d", granted, a.Own, a.Limit, a.External, a.Margin, limit)
	case granted > 0 && a.Blocked > a.Now:
		c.fail("I1", "%d granted while blocked", granted)
	}
}

// follows checks that the store went on from its last answer.
func (c *checks) follows(a limiter.Answer) {
	l := c.last
	switch {
	case a.Epoch < l.Epoch:
		c.fail("I7", "epoch %d after %d", a.Epoch, l.Epoch)
	case a.Epoch == l.Epoch && (a.External < l.External || a.Used < l.Used):
		c.fail("I7", "outside use %d after %d, used %d after %d, in one epoch", a.External, l.External, a.Used, l.Used)
	case a.Epoch > l.Epoch && l.Name != 0 && !c.under.storeLost:
		if w := c.w.up.named(l.Name); w != nil && c.w.now < w.End {
			c.fail("I9", "the window that ends at %v is taken for over", w.End)
		}
	}
}

// closed checks the record of a window that has ended.
func (c *checks) closed(a limiter.Answer) {
	if a.Closed == nil {
		return
	}
	var bound int64
	for _, m := range c.members {
		bound += max(1, m.ahead) + m.granted
		m.ahead = 0
	}
	u := c.under
	if !u.faults && !u.storeAway && !u.storeLost && a.Closed.Wasted > bound {
		c.fail("I11", "%d tokens granted and not spent, of at most %d", a.Closed.Wasted, bound)
	}
}

// member is what the checks know of a replica.
type member struct {
	seq     int64
	ahead   int64 // the most that it asked for in the epoch
	granted int64 // with the last ask: how much of it is spent is not told yet
}

func (c *checks) member(replica string) *member {
	m := c.members[replica]
	if m == nil {
		m = new(member)
		c.members[replica] = m
	}
	return m
}

// repeated checks that a repeated ask gets the same and changes nothing.
func (c *checks) repeated(a limiter.Answer, s *limiter.Shared, ask limiter.Ask, now int64) {
	if ask.Leaving {
		return // its part is dropped, and so is what its answer would repeat
	}
	before := s.Clone()
	b := s.Acquire(ask, now)
	if a.Epoch != b.Epoch || a.Pool != b.Pool || !reflect.DeepEqual(a.Grants, b.Grants) || a.Expires != b.Expires {
		c.fail("I10", "ask %d of %s granted %v+%d, and repeated %v+%d", ask.Seq, ask.Replica, a.Grants, a.Pool, b.Grants, b.Pool)
	}
	before.Trips = s.Trips // trips are counted
	if !reflect.DeepEqual(before, s.Clone()) {
		c.fail("I10", "ask %d of %s changed the state when it was repeated", ask.Seq, ask.Replica)
	}
}

// lostWrites notes that the store has forgotten some grants.
func (c *checks) lostWrites(grants int64) {
	c.forgot = true
	c.excuse += grants
}

func tokens(a limiter.Answer) int64 {
	n := a.Pool
	for _, g := range a.Grants {
		n += g
	}
	return n
}
