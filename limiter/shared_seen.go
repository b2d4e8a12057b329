package limiter

// observe learns from the answers that named the current window. Towards less
// quota it moves at once, towards more never: maximum and minimum do not depend
// on the order in which answers come, or how often.
func (s *Shared) observe(m *Member, o *Seen, before int64, a *Answer) {
	if o.Sent >= s.LimitAt {
		s.restrict(o)
	}
	others := s.own() - m.Granted - m.Carry
	s.External = max(s.External, o.Excess-others)
	s.Used = max(s.Used, o.Used)
	s.SeenAt = max(s.SeenAt, o.Last)
	s.Unnamed = 0
	if o.Sent >= s.Born {
		s.Lost, s.Given = false, 0
	}
	s.narrow(o, a)
	if o.Spent <= m.Spent {
		return
	}
	s.Refused += o.Spent - m.Spent
	m.Spent = o.Spent
	if !s.Shut && before > 0 {
		a.Unexpected = 1
		s.Adapt = min(s.Adapt+max(2, 0.002*float64(s.Limit)), 0.05*float64(s.Limit))
	}
	s.Shut = true
}

// restrict takes the limit of an answer. 0, which a 429 may tell, says only that
// nothing is left now: as a limit nothing would ever be sent again, and nothing
// learned.
func (s *Shared) restrict(o *Seen) {
	if o.Limit > 0 {
		s.Limit = o.Limit
	}
	s.LimitAt = o.Sent
}

// narrow brings the bounds of the window's end together.
func (s *Shared) narrow(o *Seen, a *Answer) {
	if o.Hi == 0 {
		return
	}
	lo, hi := max(s.Lo, o.Lo), o.Hi
	if s.Hi > 0 {
		hi = min(hi, s.Hi)
	}
	if lo < hi {
		s.Lo, s.Hi = lo, hi
		return
	}
	s.Lo, s.Hi, s.Aligned, a.Conflict = o.Lo, o.Hi, 0, true
}

// hear takes answers that named no window, and refusals that close none.
func (s *Shared) hear(ask *Ask, refused, silent, now int64) {
	if refused > 0 {
		s.throttle(now)
	}
	s.Unnamed += silent
	if s.Mode != ModeCold && s.Mode != ModeLimitOnly && s.Mode != ModeBlind {
		return
	}
	switch {
	case ask.LimitSeen > 0 && (silent > 0 || s.Mode == ModeLimitOnly):
		s.Limit = ask.LimitSeen
		s.paced(ModeLimitOnly, now)
	case s.Unnamed < 3:
	case ask.Assume > 0:
		s.Limit = ask.Assume
		s.paced(ModeLimitOnly, now)
	default:
		s.paced(ModeBlind, now)
	}
}

// oneMoment is for how long further refusals tell nothing new: their requests
// were sent before the first one was heard of.
const oneMoment = 1000

// throttle answers a refusal that does not come from the advertised limit: half
// of what is under way, and then slowly more.
func (s *Shared) throttle(now int64) {
	if now-s.CutAt < max(oneMoment, s.RTT) {
		return
	}
	switch {
	case s.Ring != nil:
		s.Factor = max(s.Factor/2, minFactor(s.Mode))
	case s.Mode == ModeSlots:
		s.Cut = max(1, s.slots(now)-1)
	default:
		s.Cut = max(1, s.open(now)/2)
	}
	s.CutAt = now
}

// cut is how many requests may be under way after a hidden limit was met, 0 =
// any number. It grows by one a second; for slots it lasts a minute.
func (s *Shared) cut(now int64) int64 {
	past := now - s.CutAt
	if s.Cut == 0 || past >= 60000 {
		return 0
	}
	if s.Mode == ModeSlots {
		return s.Cut
	}
	return s.Cut + past/1000
}
