package limiter

import "time"

// An Interval is what is known about one instant: it lies after After and
// before Before, both excluded. A zero bound is none, so that the zero value
// knows nothing. All bounds that meet must be of one clock.
type Interval struct {
	After, Before time.Time
}

// Boundary returns when a window ends whose ResetSeconds was n in the answer to
// a request that was sent at sentLo or later and answered at receivedHi or
// earlier.
//
// The upstream computed n at an unknown instant between the two and rounded it
// down, up or to the nearest: so the end is less than a second on either side
// of n seconds from there. Adding n to the instant of receipt, as is common,
// is wrong by the whole duration of a slow answer.
func Boundary(sentLo, receivedHi time.Time, n int64) Interval {
	left := time.Duration(n) * time.Second
	return Interval{
		After:  sentLo.Add(left - time.Second),
		Before: receivedHi.Add(left + time.Second),
	}
}

// Intersect returns what i and j know together. If they contradict each other
// it returns i unchanged and false: one of them is about another window, or an
// assumption about clocks does not hold.
func (i Interval) Intersect(j Interval) (Interval, bool) {
	both := i
	if j.After.After(i.After) {
		both.After = j.After
	}
	if i.Before.IsZero() || !j.Before.IsZero() && j.Before.Before(i.Before) {
		both.Before = j.Before
	}
	if both.Empty() {
		return i, false
	}
	return both, true
}

// Empty reports whether no instant lies within i.
func (i Interval) Empty() bool {
	return !i.After.IsZero() && !i.Before.IsZero() && !i.After.Before(i.Before)
}

// Contains reports whether t lies within i.
func (i Interval) Contains(t time.Time) bool {
	return (i.After.IsZero() || t.After(i.After)) && (i.Before.IsZero() || t.Before(i.Before))
}

// Width returns how uncertain the instant is, and false if i has not both
// bounds.
func (i Interval) Width() (time.Duration, bool) {
	if i.After.IsZero() || i.Before.IsZero() {
		return 0, false
	}
	return max(0, i.Before.Sub(i.After)), true
}
