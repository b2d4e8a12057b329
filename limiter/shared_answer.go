package limiter

// answer describes the bucket to a replica, with the grants that it got last.
func (s *Shared) answer(r *round, ask *Ask) Answer {
	m, now := r.m, r.now
	a := Answer{
		Now: now, Epoch: s.Epoch, Mode: s.Mode, Lo: s.Lo, Hi: s.Hi, Limit: s.usable(), Tolerance: s.tolerance(), Clock: s.clock(),
		Grants: m.Grants, Pool: m.Pool, Expires: m.Expires,
		Available: s.available(now), Own: s.own(), External: s.External, Margin: s.margin(now), Used: s.Used,
		Blocked: s.blocked(now), Replicas: s.replicas(now), SharesID: s.SharesID,
	}
	if s.Named != unnamed {
		a.Name = s.Name
	}
	if s.Sure || s.Ring != nil {
		a.Span = s.Span
	}
	if m.Epoch != s.Epoch || m.Seq != ask.Seq { // a late repetition: those were of a window that is over, or of other uses
		a.Grants, a.Pool = make([]int64, len(ask.Uses)), 0
	}
	if a.Mode == ModeSlots {
		a.Own = s.open(now)
	}
	r.foretell(&a, ask)
	return a
}

// foretell fills in what callers can expect, and when to ask again.
func (r *round) foretell(a *Answer, ask *Ask) {
	active := int64(0)
	for i := range r.all {
		p := &r.all[i]
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
		p := &r.all[at]
		others, _ := r.protected(p)
		left := max(r.left-r.leave(ask.Uses[i].Class, p), min(p.guarantee-p.used, r.left-others))
		a.Left[i] = max(0, min(left, p.rest()))
		a.Fair[i] = max(1, p.guarantee, a.Limit*p.weight/max(active, p.weight))
		if p.cap >= 0 {
			a.Fair[i] = min(a.Fair[i], p.cap)
		}
	}
	if a.Available <= a.Limit/20 {
		a.Top = top(r.all, 3)
	}
	a.Again = r.again(a)
}

// again is when more can be granted to requests that wait.
func (r *round) again(a *Answer) int64 {
	s, now := r.s, r.now
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
	if r.left > 0 {
		next = r.sooner(a)
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
func (r *round) sooner(a *Answer) int64 {
	if a.Replicas > 1 && r.spare() {
		if r.hurried() {
			return r.now
		}
		return r.now + burstPause
	}
	next := r.now + 200
	if hi := r.s.Hi; hi > r.now {
		next = r.now + min(1000, max(20, (hi-r.now)/4))
	}
	if r.kept > 0 {
		next = min(next, max(r.now+1, r.s.probeAt()))
	}
	return next
}

// burstPause is between two parts for requests that nobody looks at: a window
// that opens for hundreds of them must not choke what is urgent.
const burstPause = 20

// hurried reports whether interactive requests wait at the replica that asks.
func (r *round) hurried() bool {
	for i := range r.m.Uses {
		if u := &r.m.Uses[i]; u.Class == Interactive && u.Waiting > 0 {
			return true
		}
	}
	return false
}

// spare reports whether requests that wait may have more.
func (r *round) spare() bool {
	for c := range Class(Classes) {
		can := r.left - r.kept - r.leave(c, nil)
		for i := range r.all {
			if p := &r.all[i]; p.waiting[c] > 0 && min(can, p.rest()) > 0 {
				return true
			}
		}
	}
	return false
}
