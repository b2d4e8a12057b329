package limiter

import "time"

// Answer takes the store's answer to the Ask that was sent at the given time.
func (l *Local) Answer(now, sent time.Time, ask Ask, a Answer) {
	m := l.advance(now)
	f := l.ask.flight
	if f == nil || f.ask.Seq != ask.Seq {
		return // it is no answer to what is asked now
	}
	l.ask.flight = nil
	if l.clock.learn(l.at(sent), m, a.Now) {
		l.window = localWindow{} // what it showed is told again
	}
	l.back()
	if l.leaving && ask.Leaving {
		l.left, l.ask.told = true, f.changes
		return
	}
	if f.generation != l.ledger.generation {
		// The window ended while the store was away. What it granted in the old
		// one returns with the next Ask, which is due at once.
		l.ask.urgent = true
		return
	}
	l.ask.told, l.ask.served = f.changes, f.serial
	l.follow(f, a)
	l.collect(m, f, a)
	l.serve(m)
	l.tidy(m, f)
}

// back notes that the store is there.
func (l *Local) back() {
	l.ask.failures, l.ask.failed = 0, nil
	l.alone.end(l.now)
}

// follow brings the ledger into the epoch of an answer.
func (l *Local) follow(f *flight, a Answer) {
	l.last, l.heard = a, true
	b := &l.ledger
	same := a.Epoch == f.ask.Epoch ||
		f.ask.Name != 0 && a.Mode == ModeKnown && abs(f.ask.Name-a.Name) <= l.tolerance()
	if same {
		b.epoch = a.Epoch
		b.call(a.Name, l.tolerance())
	} else {
		held := f.ask.Keep > 0 || l.serial > f.serial
		l.begin(a.Epoch, a.Name)
		l.alone.renew(l.serial)
		// The store books what was held of the old epoch as spent, until it is
		// told how much of it was.
		l.ask.urgent = l.ask.urgent || held
	}
	l.window.lo = max(l.window.lo, l.clock.before(a.Lo))
	l.window.hi = l.clock.after(a.Hi)
	if i := l.seen.index(a.Name, l.tolerance()); a.Name != 0 && i >= 0 {
		l.window.lo = max(l.window.lo, l.seen[i].lo)
		l.window.hi = firstOf(l.window.hi, l.seen[i].hi)
	}
}

// collect takes what was granted and what was said about when more comes.
func (l *Local) collect(m moment, f *flight, a Answer) {
	l.pool.until = l.clock.before(a.Expires)
	l.ask.again = l.clock.after(a.Again)
	l.ask.blocked = l.clock.after(a.Blocked)
	l.ask.ahead = a.Pool > 0
	l.ask.jitter = 0
	if max(l.ask.again, l.ask.blocked) > m+heartbeat {
		l.ask.jitter = time.Duration(l.random() * float64(250*time.Millisecond))
	}
	if a.Again == 0 {
		l.ask.again = m + askAgain
	}
	usable := m < l.pool.until && l.reaches(m) && !l.leaving
	l.expect(f.ask.Uses, a)
	if !usable || !l.o.Settings.Enforce {
		return // they return with the next Ask
	}
	for i, n := range a.Grants {
		if i < len(f.ask.Uses) {
			l.hand(m, &f.ask.Uses[i], n)
		}
	}
	l.pool.tokens += a.Pool
}

// expect notes what each lane can expect.
func (l *Local) expect(uses []Use, a Answer) {
	for i := range uses {
		c := l.queue.callers[uses[i].Caller]
		if c == nil || i >= len(a.Left) || i >= len(a.Fair) {
			continue
		}
		ln := &c.lanes[uses[i].Class]
		ln.left, ln.fair, ln.generation = a.Left[i]+granted(a, i), a.Fair[i], l.ledger.generation
	}
}

func granted(a Answer, i int) int64 {
	if i < len(a.Grants) {
		return a.Grants[i]
	}
	return 0
}

// hand gives tokens to those for whom they were granted. If they have gone, the
// tokens join the pool.
func (l *Local) hand(m moment, u *Use, n int64) {
	l.pool.tokens += n
	c := l.queue.callers[u.Caller]
	if c == nil {
		return
	}
	for ln := &c.lanes[u.Class]; n > 0 && ln.first != nil; n-- {
		l.dequeue(m, ln.first)
	}
}

// tidy refuses those whom the answer gives no hope.
func (l *Local) tidy(m moment, f *flight) {
	if l.queue.total() == 0 {
		return
	}
	type hopeless struct {
		r   *Request
		why Reason
		eta time.Duration
	}
	var gone []hopeless
	for class := range l.queue.rings {
		for _, ln := range l.queue.rings[class].lanes {
			position := int64(0)
			for r := ln.first; r != nil; r = r.queued.next {
				eta, known := l.eta(m, ln, position+1)
				switch {
				case r.queued.hurried && r.queued.arrived <= f.at:
					gone = append(gone, hopeless{r, ReasonNoWait, eta})
				case known && eta > 0 && m+eta > r.queued.deadline:
					gone = append(gone, hopeless{r, ReasonETA, eta})
				default:
					position++
				}
			}
		}
	}
	for _, g := range gone {
		l.queue.remove(g.r)
		l.refuse(m, g.r, g.why, g.eta)
	}
}

// Failed notes that the Ask got no answer: it may have been applied. away says
// that the store is known to be away; otherwise several failures in a row mean
// it.
func (l *Local) Failed(now time.Time, ask Ask, away bool) {
	m := l.advance(now)
	t := &l.ask
	if t.flight == nil || t.flight.ask.Seq != ask.Seq {
		return
	}
	t.failed, t.flight = t.flight, nil
	t.failures++
	t.retryAt = m + min(lastRetry, firstRetry<<min(max(0, t.failures-2), 8))
	if t.failures == 1 && !away {
		t.retryAt = m + nextRetry
	}
	if away || t.failures >= failuresAway {
		l.alone.leave(m, l.serial, l.fleet())
		l.passAlone()
	}
	l.serve(m)
	l.giveUp(m)
}

// giveUp refuses those who cannot wait for the store to come back.
func (l *Local) giveUp(m moment) {
	denied := l.denied()
	for i := 0; i < len(l.queue.deadlines); {
		r := l.queue.deadlines[i]
		switch {
		case denied:
			l.queue.remove(r)
			l.refuse(m, r, ReasonStore, 0)
		case r.queued.hurried:
			l.queue.remove(r)
			l.refuse(m, r, ReasonNoWait, 0)
		default:
			i++
			continue
		}
		i = 0 // the heap has changed
	}
}
