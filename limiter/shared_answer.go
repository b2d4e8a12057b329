package limiter

// answer describes the bucket to a replica, with the grants that it got last.
func (s *Shared) answer(m *Member, ask *Ask, now int64) Answer {
	a := Answer{
		Now: now, Epoch: s.Epoch, Mode: s.Mode, Lo: s.Lo, Hi: s.Hi, Limit: s.usable(), Tolerance: s.tolerance(), Clock: s.clock(),
		Grants: m.Grants, Pool: m.Pool, Expires: m.Expires,
		Available: s.available(now), Own: s.own(), External: s.External, Margin: s.margin(now), Used: s.Used,
		Blocked: s.blocked(now), Replicas: s.replicas(now), SharesID: s.SharesID,
	}
	if s.Named != unnamed {
		a.Name = s.Name
	}
	if s.Sure || s.Mode != ModeKnown {
		a.Span = s.Span
	}
	if m.Epoch != s.Epoch || m.Seq != ask.Seq { // a late repetition: those were of a window that is over, or of other uses
		a.Grants, a.Pool = make([]int64, len(ask.Uses)), 0
	}
	if a.Mode == ModeSlots {
		a.Own = s.open(now)
	}
	s.foretell(&a, m, ask, now)
	return a
}

// foretell fills in what callers can expect, and when to ask again.
func (s *Shared) foretell(a *Answer, m *Member, ask *Ask, now int64) {
	all := s.parties(now)
	interactive := s.needs(all, now)
	r := round{s: s, m: m, all: all, now: now, left: a.Available, interactive: interactive}
	active := int64(0)
	for i := range all {
		p := &all[i]
		for c := range p.waiting {
			a.Waiting += p.waiting[c]
		}
		if p.used+p.waiting[0]+p.waiting[1]+p.waiting[2] > 0 {
			active += p.weight
		}
	}
	a.Left, a.Fair = make([]int64, len(ask.Uses)), make([]int64, len(ask.Uses))
	for i := range ask.Uses {
		at, found := r.find(ask.Uses[i].Caller)
		if !found {
			continue
		}
		p := &all[at]
		others, _ := r.protected(p)
		left := max(a.Available-r.leave(ask.Uses[i].Class, p), min(p.guarantee-p.used, a.Available-others))
		a.Left[i] = max(0, min(left, p.rest()))
		a.Fair[i] = max(1, p.guarantee, a.Limit*p.weight/max(active, p.weight))
		if p.cap >= 0 {
			a.Fair[i] = min(a.Fair[i], p.cap)
		}
	}
	if a.Available <= a.Limit/20 {
		a.Top = s.top(3)
	}
	a.Again = s.again(a, now)
}

// again is when more can be granted to requests that wait.
func (s *Shared) again(a *Answer, now int64) int64 {
	switch {
	case a.Blocked > 0:
		return a.Blocked
	case s.Mode == ModeSlots:
		return now + 100 // any replica may give back a slot
	case s.Mode == ModeCold:
		return now + 50 // the probe's answer may come through another replica
	case s.Mode != ModeKnown:
		return (s.Slice + 1) * s.slice()
	}
	next := now + 200
	if left := s.allowed(now); left > 0 {
		next = s.sooner(a, left, now)
	} else if s.Hi > 0 {
		next = s.Hi + rollGuard + 1
	}
	granted := a.Pool
	for _, n := range a.Grants {
		granted += n
	}
	if granted == 0 {
		next = max(next, now+20) // others come first
	}
	return next
}

// sooner is when to ask again while something is left: at once if each ask gets
// a part only, else when less of it is kept for others.
func (s *Shared) sooner(a *Answer, left, now int64) int64 {
	if a.Replicas > 1 && s.spare(left, now) {
		return now
	}
	next := now + 200
	if s.Hi > now {
		next = now + min(1000, max(20, (s.Hi-now)/4))
	}
	if s.doubt(left, now) > 0 {
		next = min(next, max(now+1, s.probeAt()))
	}
	return next
}

// spare reports whether requests that wait may have more.
func (s *Shared) spare(left, now int64) bool {
	all := s.parties(now)
	interactive := s.needs(all, now)
	r := round{s: s, all: all, now: now, left: left, interactive: interactive}
	for c := range Class(Classes) {
		for i := range all {
			if all[i].waiting[c] > 0 && min(left-s.doubt(left, now)-r.leave(c, nil), all[i].rest()) > 0 {
				return true
			}
		}
	}
	return false
}
