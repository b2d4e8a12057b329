package limiter

import (
	"slices"
	"strings"
)

// configure takes the caller's part of the shares; one that is not listed has
// weight 1 and nothing else.
func (c *queueCaller) configure(shares []Share) {
	c.weight, c.guarantee, c.limit = 1, Amount{}, Amount{}
	i, found := slices.BinarySearchFunc(shares, c.name, func(s Share, name string) int {
		return strings.Compare(s.Caller, name)
	})
	if found {
		c.weight, c.guarantee, c.limit = max(1, shares[i].Weight), shares[i].Guarantee, shares[i].Cap
	}
}

// capped reports whether the caller must not use tokens of the pool: only the
// fleet can count it against its cap.
func (c *queueCaller) capped() bool { return !c.limit.None() }

// spent is what the caller has used of the epoch on this replica.
func (c *queueCaller) spent() int64 {
	n := int64(0)
	for i := range c.lanes {
		n += c.lanes[i].spent
	}
	return n
}

// idle reports whether there is nothing to tell of the lane.
func (ln *lane) idle() bool {
	return ln.length == 0 && ln.spent == 0 && ln.arrived == 0 && ln.held == 0
}

// use tells about the lane. slots says that the bucket counts requests at once.
func (ln *lane) use(now moment, slots bool) Use {
	u := Use{Caller: ln.caller.name, Class: ln.class, Waiting: ln.length, Spent: ln.spent, Arrived: ln.arrived}
	if slots {
		u.Spent = ln.held
	}
	if ln.first == nil {
		return u
	}
	u.Oldest = (now - ln.first.queued.arrived).Milliseconds()
	for r := ln.first; r != nil; r = r.queued.next {
		if now-r.queued.arrived > r.queued.patience()/2 {
			u.Urgent++
		}
	}
	return u
}
