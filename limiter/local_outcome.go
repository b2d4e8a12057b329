package limiter

import (
	"net/http"
	"time"
)

// Unsent gives the token back: nothing was written to the upstream.
func (l *Local) Unsent(now time.Time, t *Ticket) {
	m := l.advance(now)
	if !l.end(t) {
		return
	}
	if t.slot {
		t.slot = false
		t.lane.held--
	}
	if l.ledger.unsent(t.stamp) { // else what its caller had spent is forgotten already
		t.lane.spent--
		t.lane.left++
		if l.o.Settings.Enforce && m < l.pool.until {
			l.pool.tokens++
			l.serve(m)
		}
	}
	l.release()
}

// Void tells that the request of a ticket is about to be sent, after it has
// waited for something else than its token, and reports whether the token must
// not be spent any more: its window is over, or the upstream wants nothing now.
// The ticket ends with Unsent then.
func (l *Local) Void(now time.Time, t *Ticket) bool {
	m := l.advance(now)
	t.taken = m
	switch {
	case !l.o.Settings.Enforce:
		return false
	case !l.reaches(m) || m < l.ask.blocked:
		return true
	}
	return l.o.Settings.Kind == Window && t.stamp != l.ledger.generation
}

// Answered learns from an answer's header. now is when it came.
func (l *Local) Answered(now time.Time, t *Ticket, o Observation) {
	m := l.advance(now)
	if !l.end(t) {
		return
	}
	l.trips.add(m - t.taken)
	l.pause(m, o)
	switch name := l.nameOf(m, t, o); {
	case l.o.Settings.Kind == Concurrency && !t.slot: // taken before a reload made it one
		l.ledger.over(t.stamp)
	case t.slot:
		if o.Refused() || o.Status == http.StatusServiceUnavailable {
			l.refusedHidden()
		}
	case name != 0:
		l.answeredNamed(m, t, o, name)
	default:
		l.answeredUnnamed(m, t, o)
	}
	l.serve(m)
}

// Lost notes that no answer will come; the upstream may have counted the
// request, or may still.
func (l *Local) Lost(now time.Time, t *Ticket) {
	m := l.advance(now)
	if !l.end(t) {
		return
	}
	switch {
	case t.slot: // it ends with Closed
	case l.o.Settings.Kind == Concurrency:
		l.ledger.over(t.stamp)
	default:
		l.ledger.lost(t.stamp)
	}
	if l.mode() == ModeCold {
		l.ask.urgent = true // perhaps it was the probe
	}
	l.serve(m)
}

// Closed gives back the slot of a Concurrency bucket: the answer's body has
// ended.
func (l *Local) Closed(now time.Time, t *Ticket) {
	m := l.advance(now)
	if !t.slot {
		return
	}
	t.slot = false
	t.lane.held--
	l.ledger.over(t.stamp)
	l.changed()
	l.release()
	l.serve(m)
}

// end ends the attempt of a ticket, once.
func (l *Local) end(t *Ticket) bool {
	if !t.open {
		return false
	}
	t.open = false
	l.changed()
	return true
}

// release tells the fleet of a slot that is free: somebody may wait for it.
func (l *Local) release() {
	if l.o.Settings.Kind == Concurrency {
		l.ask.urgent = true
	}
}

// pause takes what a refusal says about when to come again; with 202 and 3xx
// Retry-After is about one request alone (RFC 9110 section 10.2.3). More than two
// windows are not believed.
func (l *Local) pause(m moment, o Observation) {
	if o.Status != http.StatusTooManyRequests && o.Status != http.StatusServiceUnavailable {
		return
	}
	wait, given := o.Wait(l.base.Add(m))
	if !given || wait <= 0 {
		return
	}
	span := l.span()
	if span <= 0 {
		span = defaultSpan * time.Millisecond
	}
	if until := m + min(wait, 2*span); until > l.paused {
		l.paused = until
		l.ask.urgent = true
	}
}

// refusedHidden counts a 429 of a limit that is not the advertised one.
func (l *Local) refusedHidden() {
	l.refused++
	l.ask.urgent = true
}

// answeredUnnamed books an answer that tells of no window.
func (l *Local) answeredUnnamed(m moment, t *Ticket, o Observation) {
	l.unnamed++
	if o.Kind == LimitOnly {
		l.limitSeen = o.Limit
	}
	if o.Refused() {
		l.refusedHidden()
		if l.alone.since != 0 && l.mode() == ModeKnown {
			l.shutWindow(m, l.ledger.name) // nobody else will say that it is spent
		}
	}
	if l.mode() == ModeCold {
		l.ask.urgent = true
	}
	w := &l.window
	l.ledger.unnamed(t.stamp, w.lo == 0 && w.hi == 0 || m <= w.lo)
}
