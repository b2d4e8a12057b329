package limiter

// merge takes a replica's own numbers. It reports whether they show that the
// store has lost what it had granted.
func (s *Shared) merge(m *Member, ask *Ask, now int64) (repaired bool) {
	m.Uses = ask.Uses
	m.Open = max(0, ask.Flight) + max(0, ask.Keep)
	if ask.Alone > 0 && s.Mode == ModeKnown {
		s.Recover = max(s.Recover, now+recoverFor)
	}
	if !s.same(ask) {
		// All that it cannot account for may be counted in this window. What it
		// holds unspent is void once it has the answer; until its next ask says
		// so, it may have been spent while this one was on its way.
		s.charge(m, 0)
		m.Done, m.Carry = 0, max(0, ask.Carry+ask.Sent-ask.Done)+max(0, ask.Keep)
		for i := range m.Uses {
			if s.Mode != ModeSlots {
				m.Uses[i].Spent, m.Uses[i].Arrived = 0, 0
			}
		}
		return false
	}
	granted := ask.Sent + max(0, ask.Keep)
	if granted > m.Granted && !ask.Shadow {
		s.Recover, repaired = now+recoverFor, true
	}
	s.charge(m, granted)
	m.Done, m.Carry = min(ask.Done, ask.Sent), max(0, ask.Carry)
	return repaired
}

// same reports whether the counters of an ask are of the current epoch.
func (s *Shared) same(ask *Ask) bool {
	if ask.Epoch == s.Epoch {
		return true
	}
	return s.Mode == ModeKnown && s.Named == confirmed && ask.Name != 0 && abs(ask.Name-s.Name) <= s.tolerance()
}

// charge sets what a replica has been granted in this epoch.
func (s *Shared) charge(m *Member, granted int64) {
	if s.Ring != nil {
		last := len(s.Ring) - 1
		s.Ring[last] = max(0, s.Ring[last]+granted-m.Granted)
	}
	m.Granted = granted
}

// own is what the upstream may count of ours in this window, tokens that are
// held unspent included.
func (s *Shared) own() int64 {
	n := int64(0)
	for i := range s.Members {
		n += s.Members[i].Granted + s.Members[i].Carry
	}
	return n
}

// granted is how much of own was granted in this epoch.
func (s *Shared) granted() int64 {
	n := int64(0)
	for i := range s.Members {
		n += s.Members[i].Granted
	}
	return n
}

// open is how many are under way, or may be at any moment.
func (s *Shared) open(now int64) int64 {
	n := int64(0)
	for i := range s.Members {
		m := &s.Members[i]
		switch {
		case m.Expires < now: // it is gone, and its connections with it
		case s.Mode == ModeSlots:
			n += m.Granted - m.Done + m.Carry
		default:
			n += m.Open
		}
	}
	return n
}

// replicas is how many use the bucket now, at least 1.
func (s *Shared) replicas(now int64) int64 {
	n := int64(0)
	for i := range s.Members {
		if s.Members[i].Expires >= now {
			n++
		}
	}
	return max(n, 1)
}

// reconcile takes what the upstream has told.
func (s *Shared) reconcile(m *Member, ask *Ask, heard bool, before, now int64, a *Answer) {
	if ask.RTT > 0 {
		s.RTT = (3*s.RTT + ask.RTT) / 4
	}
	if ask.HoldUntil > 0 {
		s.Hold = max(s.Hold, min(ask.HoldUntil, now+2*s.Span))
	}
	refused, silent := max(0, ask.Refused-m.Refused), max(0, ask.Unnamed-m.Unnamed)
	m.Refused, m.Unnamed = ask.Refused, ask.Unnamed
	if heard || ask.Seq == 1 { // else the store has lost what was heard before
		s.hear(ask, refused, silent, now)
	}
	for i := range ask.Seen {
		if o := &ask.Seen[i]; s.Mode == ModeKnown && s.current(o) {
			s.observe(m, o, before, a)
		} else if s.Mode == ModeSliding && i == len(ask.Seen)-1 {
			s.restrict(o)
			s.External, s.Used = max(0, o.Used-s.ring()), o.Used
		}
	}
}
