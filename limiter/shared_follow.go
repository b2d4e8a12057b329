package limiter

import (
	"cmp"
	"slices"
)

// follow brings the state into the window that now is in. The name that an
// answer gave proves a new window; without one it begins when the old one is
// over for certain. It returns the record of a window that ended.
func (s *Shared) follow(ask *Ask, now int64, a *Answer) *Closed {
	slices.SortFunc(ask.Seen, func(x, y Seen) int { return cmp.Compare(x.Name, y.Name) })
	var closed *Closed
	for i := range ask.Seen {
		if c := s.place(&ask.Seen[i], now, a); c != nil {
			closed = c
		}
	}
	if c := s.pass(now); c != nil {
		closed = c
	}
	return closed
}

// place finds out whether the window that o is about is the current one, and
// makes it so if it is newer.
func (s *Shared) place(o *Seen, now int64, a *Answer) *Closed {
	switch {
	case s.Mode == ModeSlots, s.Mode == ModeSliding:
	case s.Mode != ModeKnown:
		s.know(o, now)
	case s.current(o):
		if s.Named == expected {
			s.learn(o, true)
			s.confirm(o, now)
		}
	case o.Name > s.Name:
		return s.proceed(o, now)
	case s.contradicts(o):
		// The old window had not ended yet: what was granted since then is
		// counted in it, and External makes up for what it held before.
		s.Prev, s.Aligned, s.Lead, a.Conflict = o.Name, 0, s.Span, true
		s.confirm(o, now)
	}
	return nil
}

// current reports whether o is about the current window.
func (s *Shared) current(o *Seen) bool {
	return s.Named != unnamed && abs(o.Name-s.Name) <= s.tolerance()
}

// tolerance is how much two names of one window may differ: a quarter of a
// window, because some clocks jitter.
func (s *Shared) tolerance() int64 {
	if s.Sure {
		return s.Span / 4
	}
	return min(s.Span/4, 1200)
}

// know leaves a mode in which windows had no names.
func (s *Shared) know(o *Seen, now int64) {
	s.Lead = s.Span
	if o.First >= s.Opened && o.Hi > 0 && s.Mode == ModeCold {
		s.Lead = o.Hi - s.Opened
	}
	if s.Mode != ModeCold { // paced counts are of windows of our own
		s.roll(now, false)
	}
	s.Mode, s.Unnamed, s.Ring = ModeKnown, 0, nil
	s.restrict(o)
	s.Aligned, s.Slid = 0, 0
	s.learn(o, true)
	s.confirm(o, now)
}

// proceed goes on to a window that an answer has named.
func (s *Shared) proceed(o *Seen, now int64) *Closed {
	if s.Named == unnamed {
		if o.Name-s.Name <= s.tolerance() && !s.apart(o) {
			return nil
		}
		s.learn(o, true)
		s.confirm(o, now)
		return nil
	}
	if s.slides(o) {
		s.Name, s.Since, s.Lo, s.Hi = o.Name, now, o.Lo, o.Hi
		if s.Slid++; s.Slid >= 3 {
			s.slide(now)
		}
		return nil
	}
	restarted := s.Used >= 4 // else a window that slides would look the same
	closed := s.roll(now, true)
	s.learn(o, restarted)
	s.confirm(o, now)
	return closed
}

// apart reports whether o is about a newer window than the one that has ended,
// although its name lies so close that another clock reading might have given
// it to the old one: that was over for certain when o's requests were sent.
func (s *Shared) apart(o *Seen) bool {
	return !s.Sure && s.Name != 0 && o.Name-s.Name >= minApart && o.First >= s.Opened-rollGuard
}

// slides reports whether the name moved by less than a window although the
// upstream's count did not start again.
func (s *Shared) slides(o *Seen) bool {
	if o.Name-s.Name < s.Span*3/4 && s.Used >= 4 && o.Used > s.Used/2 {
		return true
	}
	s.Slid = 0
	return false
}

// contradicts reports whether o names an older window although its request was
// sent when the current one had begun, as we believed.
func (s *Shared) contradicts(o *Seen) bool {
	since := s.Opened
	if s.Named == confirmed {
		since = s.Since
	}
	return o.Sent > since+10 && since > 0
}

// confirm takes the name and the end of the current window from an answer.
func (s *Shared) confirm(o *Seen, now int64) {
	lo, hi := s.Lo, s.Hi
	if s.Named != expected || s.Name == 0 || abs(o.Name-s.Name) > s.tolerance() {
		lo, hi = 0, 0
	}
	s.Name, s.Named, s.Since = o.Name, confirmed, now
	s.Lo, s.Hi = lo, hi
	if o.Hi > 0 && hi == 0 {
		s.Lo, s.Hi = o.Lo, o.Hi
	}
}

// learn takes from two names that follow each other how long windows are, and
// whether they are aligned with the clock. They become shorter only if the
// upstream's count is known to have started again.
func (s *Shared) learn(o *Seen, restarted bool) {
	prev := s.Prev
	s.Prev = o.Name
	if long := o.Lo - o.Last; o.Lo > 0 && long > s.Span {
		s.Span, s.Sure, s.Aligned = (long+999)/1000*1000, false, 0
	}
	if o.Lo > 0 {
		s.Longest = max(s.Longest, o.Lo-o.First)
	}
	d := o.Name - prev
	if prev == 0 || d < minApart {
		return
	}
	// Two names may lie several windows apart, but not if more than half of
	// that time was once left of one.
	next := 2*s.Longest >= d-1000
	slack := min(1000, s.Span/5)
	k := (d + s.Span/2) / s.Span
	whole := k > 0 && abs(d-k*s.Span) <= slack
	switch {
	case !s.Sure && whole:
		s.Sure = k == 1 && next
		s.Aligned++
	case whole:
		s.Aligned++
		if restarted && k == 1 && d >= jitters {
			s.Span = min(s.Span, longest(d))
		}
	case !restarted:
	case !s.Sure, d < s.Span-slack:
		s.Span, s.Sure, s.Aligned, s.Longest = longest(d), next, 0, min(s.Longest, d)
	default:
		s.Aligned = 0
	}
}

// jitters is the distance of two names, in milliseconds, from which on they may
// be up to a second too close or too far apart.
const jitters = 4000

// longest is how long windows are at most whose names lie d apart. Lengths that
// people choose are short or whole five seconds; of others a second more is
// taken, because a window that is taken for shorter than it is ends too early.
func longest(d int64) int64 {
	if d < jitters {
		return d
	}
	if round := (d + 4999) / 5000 * 5000; round-d <= 1000 {
		return round
	}
	return (d + 1000) / 1000 * 1000
}

// clock reports whether windows are known to be aligned with the clock: three
// times in a row they lay whole windows apart, and the first had begun without
// us. Or a hundred times: windows that begin with our own first request fall
// behind.
func (s *Shared) clock() bool {
	// Longest counts from when a request was sent, which may be seconds before
	// it arrived and began a window.
	without := s.Lead > 0 && s.Lead <= min(s.Longest, s.Span)-min(1000, s.Span/4)
	return s.Sure && (s.Aligned >= 3 && without || s.Aligned >= 100)
}

// pass ends a window that is over for certain.
func (s *Shared) pass(now int64) *Closed {
	switch {
	case s.Mode == ModeSlots:
		if now >= s.Opened+defaultSpan {
			s.forecast(now)
			s.Opened = now
		}
		return nil
	case s.Mode != ModeKnown && s.Mode != ModeCold:
		if now >= s.Opened+s.paceFor() {
			return s.roll(now, false)
		}
		return nil
	case s.Hi > 0 && now > s.Hi+rollGuard:
		return s.lapse(now)
	case s.Hi == 0 && now > s.Opened+2*s.Span:
		closed := s.roll(now, false) // nothing says when windows end: begin again
		s.Mode, s.Named, s.Probe = ModeCold, unnamed, 0
		return closed
	}
	return nil
}

// lapse goes on to the next window without having heard of it.
func (s *Shared) lapse(now int64) *Closed {
	lo, hi, name := s.Lo, s.Hi, s.Name
	aligned := s.clock() && s.Named != unnamed
	closed := s.roll(now, false)
	if !aligned {
		s.Named, s.Lo, s.Hi = unnamed, 0, 0
		return closed
	}
	k := (now-rollGuard-1-hi)/s.Span + 1
	s.Name, s.Named = name+k*s.Span, expected
	s.Lo, s.Hi = lo+k*(s.Span-1), hi+k*(s.Span+1) // a millisecond per window for drifting clocks
	return closed
}

// roll ends the epoch. What may still be on its way is carried into the next.
func (s *Shared) roll(now int64, proof bool) *Closed {
	closed := s.record(now, proof)
	if s.Used > 0 {
		whole := s.whole()
		s.Outside = float64(0.7*min(s.Outside, whole)) + float64(0.3*min(float64(s.External)/float64(s.Span), whole))
		if s.Outside*float64(s.Span) < 0.05 {
			s.Outside = 0
		}
		s.Clean++
		if s.External > 0 {
			s.Clean = 0
		}
		if s.Adapt *= 0.9; s.Adapt < 0.5 {
			s.Adapt = 0
		}
	}
	s.pace()
	s.forecast(now)
	gone := now - max(s.Span, forgetAfter)
	s.Members = slices.DeleteFunc(s.Members, func(m Member) bool { return m.Seen < gone })
	for i := range s.Members {
		m := &s.Members[i]
		m.Carry += m.Granted - m.Done
		m.Granted, m.Done, m.Spent = 0, 0, 0
		for j := range m.Uses {
			m.Uses[j].Spent, m.Uses[j].Arrived = 0, 0
		}
	}
	s.Epoch, s.Opened = max(s.Epoch+1, now), now
	s.Used, s.External, s.Shut, s.Refused, s.Aged, s.Probe = 0, 0, false, 0, 0, 0
	return closed
}

// record describes the epoch that ends.
func (s *Shared) record(now int64, proof bool) *Closed {
	c := &Closed{
		Epoch: s.Epoch, Opened: s.Opened, Ended: now, Limit: s.usable(), Own: s.own(),
		External: s.External, Used: s.Used, Refused: s.Refused, Proof: proof, By: top(s.parties(now), maxUsers),
	}
	if s.Named != unnamed {
		c.Name = s.Name
	}
	spent := int64(0)
	for _, u := range c.By {
		spent += u.Spent
	}
	for _, m := range s.Members {
		c.Wasted += m.Granted
		c.Counted += m.Done
	}
	c.Wasted = max(0, c.Wasted-spent)
	return c
}
