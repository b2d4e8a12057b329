package limiter

import "time"

// Tick does what is due: it refuses requests whose patience ends and spends what
// time has brought.
func (l *Local) Tick(now time.Time) {
	m := l.advance(now)
	l.serve(m)
	for l.queue.deadlines.first() <= m {
		r := l.queue.deadlines[0]
		why, ln := ReasonDeadline, r.queued.lane
		if r.queued.hurried {
			why = ReasonNoWait
		}
		l.queue.remove(r)
		eta, _ := l.eta(m, ln, ln.length+1)
		l.refuse(m, r, why, eta)
	}
}

// Wake returns when Tick or Ask is due next, zero if never.
func (l *Local) Wake() time.Time {
	at := min(l.due(), l.queue.deadlines.first(), l.opens())
	if at == never {
		return time.Time{}
	}
	return l.base.Add(max(at, l.now))
}

// opens returns when time alone may bring a token to those who wait.
func (l *Local) opens() moment {
	if l.queue.total() == 0 {
		return never
	}
	at := never
	later := func(m moment) {
		if m > l.now {
			at = min(at, m)
		}
	}
	if l.pool.tokens > 0 || l.alone.since != 0 {
		later(l.paused)
		later(l.shut)
	}
	if a := &l.alone; a.since != 0 {
		later(l.ask.blocked)
		later(a.next)
		later(a.spent + trickleEvery)
		if l.window.hi != 0 {
			later(l.window.hi + rollGuard*time.Millisecond)
		} else if a.observed {
			later(a.sent + l.spanOrDefault())
		}
	}
	return at
}

// Leaving has the next Ask give everything back; nothing is granted after it.
func (l *Local) Leaving(now time.Time) {
	m := l.advance(now)
	l.leaving = true
	l.pool.tokens = 0
	for l.queue.total() > 0 {
		r := l.queue.deadlines[0]
		l.queue.remove(r)
		l.refuse(m, r, ReasonStore, 0)
	}
	if l.ask.seq == 0 {
		l.left = true // the store has never heard of it
	}
}

// Idle reports whether nothing waits, is under way, is held or is to be told.
func (l *Local) Idle() bool {
	return l.left || l.queue.total() == 0 && l.underWay() == 0 && l.pool.tokens == 0 &&
		l.ask.changes == l.ask.told && l.ask.flight == nil && !l.leaving
}
