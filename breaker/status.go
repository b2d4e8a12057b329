package breaker

import (
	"cmp"
	"slices"
	"time"
)

// Status is what people see of a breaker.
type Status struct {
	Key    Key
	State  State
	Reason Reason // of the last change; "" = there was none
	By     string // replica or operator
	Since  time.Time
	// OpenFor is how long nothing passes yet; 0 = a request may.
	OpenFor time.Duration
	// OpenUntil is that as a time; zero = not open.
	OpenUntil time.Time
	// NextPing is when the active probe asks; zero = there is none.
	NextPing time.Time
	// Probes are under way on this replica.
	Probes int
	// Of this replica's requests in the window, without those excluded.
	Successes, Failures int
	Forced              *ForcedStatus // nil = it is not
	Last                []LastFailure // the newest first, of this replica
}

// ForcedStatus is what people see of a forced state.
type ForcedStatus struct {
	State State
	By    string
	Why   string
	Since time.Time
	Until time.Time
}

// LastFailure is one failure.
type LastFailure struct {
	At    time.Time
	Cause string
}

// List returns all breakers by name, but for throttle breakers that have had
// nothing to do.
func (bs *Breakers) List() []Status {
	var list []Status
	for _, b := range bs.all() {
		s := b.status(time.Now())
		if s.Key.Bucket == "" || s.Reason != "" || len(s.Last) > 0 {
			list = append(list, s)
		}
	}
	slices.SortFunc(list, func(a, b Status) int { return cmp.Compare(a.Key.String(), b.Key.String()) })
	return list
}

func (b *breaker) status(now time.Time) Status {
	b.mu.Lock()
	defer b.unlock()
	b.expire(now)
	b.settle(now)
	s := Status{Key: b.key, State: b.shown(), Reason: b.reason, By: b.by, Since: b.since, Probes: len(b.probes)}
	if b.state == Closed {
		c := b.life.counts()
		s.Successes, s.Failures = int(c.TotalSuccesses), int(c.TotalFailures)
	}
	if b.state == Open && b.forced == nil {
		s.OpenUntil, s.OpenFor = b.until, max(0, b.until.Sub(now))
	}
	if b.state != Closed && b.ping != nil && b.ping.Load() != nil {
		s.NextPing = b.nextPing
	}
	if f := b.forced; f != nil {
		s.Reason, s.By, s.Since = ReasonForced, f.by, f.since
		s.Forced = &ForcedStatus{f.state, f.by, f.why, f.since, f.until}
		if f.state == Open {
			s.OpenUntil, s.OpenFor = f.until, f.until.Sub(now)
		}
	}
	for _, l := range b.last.list() {
		s.Last = append(s.Last, LastFailure{l.at, l.cause})
	}
	return s
}
