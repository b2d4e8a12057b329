package limiter

import "math"

// slots is how many requests may be under way at once in a Concurrency bucket.
// The provider documents eight where nothing is configured.
func (s *Shared) slots(now int64) int64 {
	n := int64(8)
	switch {
	case s.With.Max > 0:
		n = s.With.Max
	case s.With.Assume > 0:
		n = s.With.Assume
	}
	if cut := s.cut(now); cut > 0 {
		n = min(n, cut)
	}
	return n
}

// usable is what the fleet may use of a window, before others take their part.
func (s *Shared) usable() int64 {
	var limit int64
	switch s.Mode {
	case ModeSlots:
		return s.slots(s.Last)
	case ModeCold:
		return s.blindly()
	case ModeKnown:
		limit = s.Limit
	default:
		return s.rate(s.With.Max)
	}
	if s.With.Max > 0 {
		limit = min(limit, s.With.Max)
	}
	return limit
}

// blindly is how many tokens may be spent before the first answer: a twentieth
// of what is known from before or assumed, else a single probe.
func (s *Shared) blindly() int64 {
	known := s.Limit
	if known == 0 {
		known = s.With.Assume
	}
	if s.With.Max > 0 {
		known = min(known, s.With.Max)
	}
	return max(1, known/20)
}

// available is what may be granted at all.
func (s *Shared) available(now int64) int64 {
	var left int64
	switch s.Mode {
	case ModeSlots:
		left = s.slots(now) - s.open(now)
	case ModeCold:
		left = s.blindly() - s.granted()
		if left <= 0 && now >= s.Probe && now >= s.Opened+probeFor {
			left = 1
		}
	case ModeKnown:
		left = s.Limit - s.own() - s.External - s.margin(now)
		if s.With.Max > 0 {
			left = min(left, s.With.Max-s.own())
		}
		if s.Lost {
			left = min(left, s.trial(now))
		}
	default:
		left = s.rate(s.With.Max) - s.ring() - s.External
	}
	return max(0, left)
}

// trial is how many tokens may be spent to learn what is left, when the state
// was lost.
func (s *Shared) trial(now int64) int64 {
	if left := s.blindly() - s.Given; left > 0 {
		return left
	}
	if now >= s.Probe {
		return 1
	}
	return 0
}

// outside is the rate at which others spend, in tokens per millisecond: what
// was seen in windows before, and in this one.
func (s *Shared) outside(now int64) float64 {
	began, rate := s.Opened, s.Outside
	if s.Hi > 0 {
		began = min(began, s.Hi-s.Span)
	}
	if elapsed := now - began; s.External > 0 && elapsed >= 500 {
		rate = max(rate, float64(s.External)/float64(elapsed))
	}
	return min(rate, s.whole())
}

// whole is the rate of one that spends all of the window. No other is believed:
// what a stray answer or a larger limit has left behind would leave nothing of
// any window to come, and where nothing is granted nothing is learned.
func (s *Shared) whole() float64 { return float64(s.Limit) / float64(s.Span) }

// blind is how long ago the answer was made that told what others spend.
func (s *Shared) blind(now int64) float64 {
	seen := s.SeenAt
	if seen == 0 || seen < s.Opened {
		seen = s.Opened
	}
	return float64(min(max(0, now-seen)+s.RTT, s.Span))
}

// margin is what is left for what others spend before we hear of it. Without
// others it is nothing.
func (s *Shared) margin(now int64) int64 {
	rate, adapt := s.outside(now), min(s.Adapt, 0.05*float64(s.Limit))
	if rate == 0 && adapt < 1 {
		return 0
	}
	x := float64(rate * s.blind(now))
	m := x + float64(2*math.Sqrt(x)) + adapt
	if s.With.Polite && s.Hi > now {
		m += float64(rate * float64(s.Hi-now))
	}
	return int64(m + 0.5)
}

// blocked is until when nothing is granted, 0 = something may be. A window that
// the upstream has closed opens with the next one.
func (s *Shared) blocked(now int64) int64 {
	until := max(s.Held, s.Hold)
	if s.Shut {
		if s.Hi > now {
			until = max(until, s.Hi+rollGuard+1)
		} else {
			until = max(until, now+1000)
		}
	}
	if until <= now {
		return 0
	}
	return until
}

// allowed cuts what is available to what may be granted in one ask.
func (s *Shared) allowed(now int64) int64 {
	left := s.available(now)
	if cut := s.cut(now); cut > 0 && s.Mode != ModeSlots {
		left = min(left, cut-s.open(now))
	}
	if s.Mode == ModeKnown {
		left = s.landing(s.unconfirmed(left, now), now)
	}
	return max(0, left)
}

// unconfirmed leaves half of a new window alone until an answer has named it,
// if others use it too.
func (s *Shared) unconfirmed(left, now int64) int64 {
	if s.Named == confirmed || s.Clean >= 10 || s.Outside == 0 {
		return left
	}
	theirs := int64(min(s.Outside, s.whole()) * float64(now-s.Opened))
	return min(left, (s.usable()-theirs)/2-s.own())
}

// landing lets each of the last tokens see the answer of the one before, if
// others spend too.
func (s *Shared) landing(left, now int64) int64 {
	rate := s.outside(now)
	if rate == 0 || float64(left) >= 3*math.Sqrt(rate*s.blind(now))+2 {
		return left
	}
	return min(left, max(1, left/2)-s.open(now))
}

// doubt is how many tokens are kept for when it is not certain whether the
// window is over: the names in their answers tell, and halve the doubt.
// Guarantees may be kept with them all the same.
func (s *Shared) doubt(left, now int64) int64 {
	if s.Mode != ModeKnown || !s.clock() || s.Hi == 0 || s.Hi-s.Lo <= 50 {
		return 0
	}
	kept := min(3, s.Limit/100, left)
	if now >= s.probeAt() && left <= kept {
		kept = max(0, left-1)
	} else if now >= s.probeAt() {
		kept = 0
	}
	return kept
}

// probeAt is when the next request tells most about the window's end.
func (s *Shared) probeAt() int64 { return max(s.Lo+(s.Hi-s.Lo)/2, s.Probe) }
