package limiter

import "time"

// tripBound is how long a request that must not wait may be held by one trip to
// the store.
const tripBound = 50 * time.Millisecond

// Arrive takes a request. It calls Granted or Refused before it returns, or
// keeps the request in the queue.
func (l *Local) Arrive(now time.Time, r *Request) {
	m := l.advance(now)
	r.queued = queued{arrived: m}
	c := l.queue.caller(r.Caller, l.o.Settings.Shares)
	ln := &c.lanes[min(r.Class, Background)]
	ln.arrived++
	if !c.capped() {
		l.demand.add(m)
	}
	switch {
	case !l.o.Settings.Enforce:
		l.grant(m, r, ln, l.wouldHold(m))
	case l.leaving:
		l.refuse(m, r, ReasonStore, 0)
	case l.pooled(m) && !c.capped() && l.spendsLease():
		// Nobody who might use the pool waits, or it would be empty.
		l.grant(m, r, ln, false)
	default:
		l.enqueue(m, r, ln)
	}
}

// enqueue lets a request wait, if that makes sense.
func (l *Local) enqueue(m moment, r *Request, ln *lane) {
	if l.denied() {
		l.refuse(m, r, ReasonStore, 0)
		return
	}
	position := ln.length + 1
	if r.Again {
		position = 1
	}
	eta, known := l.eta(m, ln, position)
	deadline, hurried := l.at(r.Deadline), false
	switch {
	case deadline <= m && known && eta > 0:
		l.refuse(m, r, ReasonNoWait, eta)
		return
	case deadline <= m:
		deadline, hurried = m+tripBound, true
	case known && eta > 0 && m+eta > deadline:
		l.refuse(m, r, ReasonETA, eta)
		return
	}
	// A burst for which there are tokens waits for one trip only: it may take
	// every place.
	soon := known && eta == 0
	if !soon && l.queue.full(ln.caller) || l.queue.total() >= maxQueued && !l.displace(m, ln) {
		l.refuse(m, r, ReasonFull, eta)
		return
	}
	l.queue.push(ln, r, m, deadline, hurried)
	l.want(m, ln)
	l.serve(m)
	if hurried && l.alone.since != 0 && l.queue.remove(r) {
		l.refuse(m, r, ReasonNoWait, eta)
	}
}

// displace makes room for one more of the lane in a full queue.
func (l *Local) displace(m moment, ln *lane) bool {
	r := l.queue.least(ln)
	if r == nil {
		return false
	}
	eta, _ := l.eta(m, r.queued.lane, r.queued.lane.length)
	l.queue.remove(r)
	l.refuse(m, r, ReasonFull, eta)
	return true
}

// Leave takes a request out of the queue, because its caller has left; it calls
// nothing. It reports false if the request is not in the queue any more.
func (l *Local) Leave(now time.Time, r *Request) bool {
	l.advance(now)
	return l.queue.remove(r)
}

// pooled reports whether the replica holds a token that may be spent now.
func (l *Local) pooled(m moment) bool {
	return l.pool.tokens > 0 && m < l.pool.until && l.reaches(m)
}

// reaches reports whether the upstream would take a request now, as far as its
// answers tell.
func (l *Local) reaches(m moment) bool { return m >= l.paused && m >= l.shut }

// may reports whether the lane may have a token now.
func (l *Local) may(m moment, ln *lane) bool {
	if l.leaving || !l.reaches(m) {
		return false
	}
	if l.pooled(m) && !ln.caller.capped() && l.spendsLease() {
		return true
	}
	return m >= l.ask.blocked && l.mayAlone(m, ln)
}

// serve gives tokens to those who wait, as far as there are any.
func (l *Local) serve(m moment) {
	if l.queue.total() == 0 || !l.pooled(m) && l.alone.since == 0 {
		return
	}
	eligible := func(ln *lane) bool { return l.may(m, ln) }
	for {
		r := l.queue.next(eligible)
		if r == nil {
			return
		}
		l.dequeue(m, r)
	}
}

// dequeue grants a request that waits.
func (l *Local) dequeue(m moment, r *Request) {
	ln := r.queued.lane
	l.queue.remove(r)
	l.grant(m, r, ln, false)
}

// grant gives a request its token, from the lease if there is one.
func (l *Local) grant(m moment, r *Request, ln *lane, held bool) {
	if l.pool.tokens > 0 {
		l.pool.tokens--
	}
	l.pool.taken = m
	l.serial++
	ln.spent++
	ln.left--
	slot := l.o.Settings.Kind == Concurrency
	if slot {
		ln.held++
	}
	if l.alone.since != 0 {
		l.spentAlone(m)
	}
	l.changed()
	r.Granted(&Ticket{
		Waited: m - r.queued.arrived, Held: held,
		lane: ln, stamp: l.ledger.take(), serial: l.serial, taken: m, open: true, slot: slot,
	})
}

// refuse sends a request away that has left the queue or never was in it.
func (l *Local) refuse(m moment, r *Request, why Reason, eta time.Duration) {
	l.changed() // where nobody waits, the fleet is asked all the same: an operator may have opened the bucket
	r.Refused(l.refusal(m, r.Caller, why, eta, m-r.queued.arrived))
}

func (l *Local) refusal(m moment, caller string, why Reason, eta, waited time.Duration) *Refusal {
	v := l.view(m, caller)
	if pause := max(l.paused, l.ask.blocked) - m; pause > 0 && eta > 0 && eta <= pause {
		v.Blocked, v.Opens = true, pause // there are tokens, but not before
	}
	return &Refusal{Reason: why, RetryAfter: l.retryAfter(eta), View: v, Waited: waited}
}

// Late is the refusal of a request whose time was over when it had no token
// yet.
func (l *Local) Late(now time.Time, caller string, class Class, waited time.Duration) *Refusal {
	m := l.advance(now)
	ln := &l.queue.caller(caller, l.o.Settings.Shares).lanes[min(class, Background)]
	eta, _ := l.eta(m, ln, ln.length+1)
	return l.refusal(m, caller, ReasonDeadline, eta, waited)
}

// wouldHold reports whether a request that is only watched would have had to
// wait for more than a trip to the store.
func (l *Local) wouldHold(m moment) bool {
	if !l.heard || !l.reaches(m) {
		return !l.reaches(m)
	}
	return l.last.Available-l.unbooked() <= 0 && !l.passed(m)
}

// unbooked is what was spent since the last Answer without having been granted:
// where requests are only watched.
func (l *Local) unbooked() int64 {
	if l.o.Settings.Enforce {
		return 0
	}
	return l.serial - l.ask.served
}
