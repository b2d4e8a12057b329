package limiter

import "time"

// at returns the moment of a time. Moments never go back.
func (l *Local) at(t time.Time) moment {
	if l.base.IsZero() {
		l.base = t.Add(-headroom)
	}
	return max(1, t.Sub(l.base))
}

// advance brings the replica to now, and does what time alone decides.
func (l *Local) advance(now time.Time) moment {
	l.now = max(l.now, l.at(now))
	if l.pool.tokens > 0 && l.now >= l.pool.until {
		l.pool.tokens = 0 // the fleet counts them as spent until the window ends
		l.changed()
	}
	l.passAlone()
	return l.now
}

// changed notes that there is something to tell.
func (l *Local) changed() { l.ask.changes++ }

// span is the length of a window as far as it is known, 0 = unknown.
func (l *Local) span() time.Duration {
	if l.heard && l.last.Span > 0 && l.last.Mode != ModeCold {
		return time.Duration(l.last.Span) * time.Millisecond
	}
	return l.o.Settings.AssumeWindow
}

// tolerance is how much two names of one window may differ, in milliseconds.
func (l *Local) tolerance() int64 {
	if l.apart > 0 && l.last.Span == 0 {
		return l.apart
	}
	if l.heard && l.last.Tolerance > 0 {
		return l.last.Tolerance
	}
	span := int64(defaultSpan)
	if known := l.span(); known > 0 {
		span = known.Milliseconds()
	}
	return min(span/4, maxJitter)
}

// maxJitter bounds by how many milliseconds the names of one window differ.
const maxJitter = 1200

// limit is what the fleet may use of a window, or at once; 0 = unknown.
func (l *Local) limit() int64 {
	s := &l.o.Settings
	limit := s.Assume
	switch {
	case l.heard && l.last.Limit > 0 && l.last.Mode != ModeCold: // that would be what may be tried
		limit = l.last.Limit
	case len(l.seen) > 0:
		limit = l.seen[len(l.seen)-1].limit
	case s.Kind == Concurrency && s.Max > 0:
		limit = s.Max
	}
	if s.Max > 0 {
		limit = min(limit, s.Max)
	}
	return limit
}

// mode is how tokens are counted, as the fleet has told.
func (l *Local) mode() Mode {
	switch {
	case l.o.Settings.Kind == Concurrency:
		return ModeSlots
	case l.heard:
		return l.last.Mode
	case len(l.seen) > 0:
		return ModeKnown
	default:
		return ModeCold
	}
}

// fleet is how many replicas may be sending.
func (l *Local) fleet() int64 {
	n := int64(1)
	if l.o.Fleet != nil {
		n = int64(l.o.Fleet())
	}
	return max(1, n, l.last.Replicas)
}

// random returns a number in [0,1), 0 without a source.
func (l *Local) random() float64 {
	if l.o.Random == nil {
		return 0
	}
	return l.o.Random()
}
