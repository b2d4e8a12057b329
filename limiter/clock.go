package limiter

import "time"

// moment is an instant of this replica's monotonic clock, counted from an hour
// before the first one that it was told. 0 is unknown.
type moment = time.Duration

const (
	// never is later than every moment.
	never moment = 1<<63 - 1
	// headroom before the first moment, so that what happened a little earlier
	// still has one.
	headroom = time.Hour
	// perDrift is one part of how much two clocks may run apart: 100 ppm, more
	// than quartz does.
	perDrift = 10_000
	// clockJump is how far a reading must lie outside of what was predicted to
	// be another clock's, that of a server that took over.
	clockJump = clockSlack * time.Millisecond
)

// storeClock relates moments to the store's clock. The difference lies between
// lo and hi at a moment, and further apart with every second from there. Every
// answer of the store narrows it: the store read its clock between the sending
// of the ask and the receipt of its answer.
type storeClock struct {
	known  bool
	at     moment
	lo, hi time.Duration // the store's time since 1970 minus the moment
}

// learn takes the reading, in milliseconds rounded down, that an answer gave.
// It reports whether it is another clock's than before: then nothing that the
// old one showed means anything.
func (c *storeClock) learn(sent, received moment, reading int64) (jumped bool) {
	slack := (received - sent) / perDrift
	lo := time.Duration(reading)*time.Millisecond - received - slack
	hi := time.Duration(reading+1)*time.Millisecond - sent + slack
	if c.known {
		oldLo, oldHi := c.bounds(received)
		switch {
		case lo > oldHi+clockJump, hi < oldLo-clockJump:
			jumped = true
		case max(lo, oldLo) <= min(hi, oldHi):
			lo, hi = max(lo, oldLo), min(hi, oldHi)
		}
		// If the two contradict each other by less, the clock was corrected, or
		// this process stood still: the newer reading is the better.
	}
	*c = storeClock{known: true, at: received, lo: lo, hi: hi}
	return jumped
}

// bounds returns between what the difference lies at m.
func (c *storeClock) bounds(m moment) (lo, hi time.Duration) {
	drift := (max(m-c.at, c.at-m) + perDrift - 1) / perDrift
	return c.lo - drift, c.hi + drift
}

// early returns the earliest that the store's clock can show at m, in
// milliseconds; 0 if m or the clock is unknown.
func (c *storeClock) early(m moment) int64 {
	if !c.known || m == 0 {
		return 0
	}
	lo, _ := c.bounds(m)
	return floorMilli(m + lo)
}

// late returns the latest that the store's clock can show at m.
func (c *storeClock) late(m moment) int64 {
	if !c.known || m == 0 {
		return 0
	}
	_, hi := c.bounds(m)
	return -floorMilli(-(m + hi))
}

// before returns the last moment at which the store's clock cannot have reached
// an instant yet; 0 if the instant or the clock is unknown.
func (c *storeClock) before(instant int64) moment {
	if !c.known || instant == 0 {
		return 0
	}
	at := time.Duration(instant) * time.Millisecond
	_, hi := c.bounds(at - c.hi)
	return max(1, at-hi-1)
}

// after returns the first moment at which the store's clock has reached an
// instant for certain.
func (c *storeClock) after(instant int64) moment {
	if !c.known || instant == 0 {
		return 0
	}
	at := time.Duration(instant) * time.Millisecond
	lo, _ := c.bounds(at - c.lo)
	return max(1, at-lo+1)
}

func floorMilli(d time.Duration) int64 {
	ms := int64(d / time.Millisecond)
	if d%time.Millisecond < 0 {
		ms--
	}
	return ms
}
