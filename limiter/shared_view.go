package limiter

import "slices"

// View describes the bucket to an operator, as an ask would find it now. It
// changes nothing.
func (s *Shared) View(now int64) Snapshot {
	var v Snapshot
	if s.Epoch == 0 {
		v.Mode, v.Now, v.Blocked = ModeCold, now, s.blocked(now)
		if s.Held > now {
			v.Held = s.Why
		}
		return v
	}
	s = s.Clone()
	s.turn(now)
	s.pass(now)
	r := s.round(&Member{}, now)
	v.Answer = s.answer(r, &Ask{})
	v.Top = top(r.all, maxUsers)
	for _, p := range r.all {
		c := CallerState{Caller: p.caller, Spent: p.used, Waiting: p.waiting[0] + p.waiting[1] + p.waiting[2]}
		for i, rate := range p.demand.Rate {
			c.Rate[i] = int64(rate + 0.5)
		}
		v.Callers = append(v.Callers, c)
	}
	if s.Held > now {
		v.Held = s.Why
	}
	return v
}

// Block has nothing granted before the instant; one that has passed lifts the
// block.
func (s *Shared) Block(until int64, why string) {
	s.Held, s.Why = until, why
}

// Clone returns a copy that shares nothing.
func (s *Shared) Clone() *Shared {
	c := *s
	c.Ring, c.Shares, c.Members, c.Demand = slices.Clone(s.Ring), slices.Clone(s.Shares), slices.Clone(s.Members), slices.Clone(s.Demand)
	for i := range c.Members {
		m := &c.Members[i]
		m.Uses, m.Grants = slices.Clone(m.Uses), slices.Clone(m.Grants)
	}
	return &c
}
