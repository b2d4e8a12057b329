package callerlimit

import (
	"math"
	"time"
)

const (
	// beat is the time between two trips of a replica that lacks something, or
	// holds what others need; slowBeat that of one that only holds more than one
	// keeps at rest. It is shorter than [trust].
	beat     = 250 * time.Millisecond
	slowBeat = time.Second
	// gap is the least time between two trips, emptyGap that after one that
	// brought less than was wanted, or perReplica of them where that is longer:
	// an overloaded caller costs the store no more in a large fleet.
	gap        = 5 * time.Millisecond
	emptyGap   = 20 * time.Millisecond
	perReplica = 5 * time.Millisecond
	// ahead is how much of the recent demand a replica holds tokens for.
	ahead = 200 * time.Millisecond
	// mostOf is the part of the burst that one replica holds at most: with more,
	// the bucket would have no room to fill up while they are being spent.
	mostOf = 3
	// lately is how long ago an answer may be that the store has not forgotten by
	// itself.
	lately = Remember / 2
)

// ask begins a trip.
func (l *local) ask(now time.Time) Ask {
	a := Ask{Fleet: l.replicas(), Rate: l.limit.rate(), Burst: l.limit.Burst, Concurrency: l.limit.Concurrency}
	a.Known = !l.told.IsZero() && now.Sub(l.told) < lately
	l.measure(now)
	calm := l.calm(now)
	a.Resting = calm
	if a.Rate > 0 {
		l.askTokens(now, &a, calm)
	}
	if a.Concurrency > 0 {
		l.askSlots(now, &a, calm)
	}
	l.use = use{since: now, last: l.use.last, demand: l.use.demand, peak: l.inFlight}
	l.underway, l.changed, l.sent, l.asked = true, false, now, a
	return a
}

// calm reports whether what one keeps at rest is enough, so that the store need
// not know of the replica.
func (l *local) calm(now time.Time) bool {
	switch {
	case l.limit.Concurrency > 0 && l.inFlight > l.places().Rest:
		return false
	case l.idle(now):
		return true
	case now.Sub(l.use.since) < ahead: // too short to tell
		return false
	case l.limit.rate() > 0 && l.use.demand*ahead.Seconds() > float64(l.tokens().Rest):
		return false
	}
	return l.limit.Concurrency == 0 || l.use.refused == 0 && !crowded(l.use.peak, l.places().Rest, l.limit.Concurrency)
}

// crowded reports whether so many requests under way need more slots than these.
func crowded(requests, slots, all int) bool { return 4*requests >= 3*slots && slots < all }

func (l *local) askTokens(now time.Time, a *Ask, calm bool) {
	l.refresh(now)
	part := l.tokens()
	target := part.Rest
	if !calm {
		target = l.target(part)
	}
	if over := int(l.have) - target; over > 0 && calm {
		a.Back = over
		l.have -= float64(over)
	}
	a.Have = int(l.have)
	a.Want = max(0, target-a.Have)
	a.Held = l.held(part.Rest)
	a.Debt = int(l.made)
	l.made -= float64(a.Debt)
}

func (l *local) askSlots(now time.Time, a *Ask, calm bool) {
	part := l.places()
	keep := part.Rest
	if l.leased(now) && !l.away(now) && !calm {
		keep = min(l.slots, l.due)
	}
	// From here on the replica goes by what it tells.
	a.Slots = max(keep, l.inFlight)
	l.slots, l.due = a.Slots, max(keep, l.inFlight)
	a.Need = max(part.Rest, min(l.use.peak+max(l.use.peak/3, l.use.refused)+1, a.Concurrency))
	if l.idle(now) {
		a.Need = max(part.Rest, l.inFlight)
	}
}

// answered ends a trip.
func (l *local) answered(a Answer) {
	l.underway, l.failed = false, false
	l.told, l.answer = l.sent, a
	l.have = math.Floor(l.have) + float64(a.Granted)
	l.heldThen = l.asked.Have + a.Granted
	if l.changed { // the answer is about another limit
		l.have = min(l.have, float64(l.tokens().Equal))
		return
	}
	l.slots, l.due = a.Slots, a.Due
}

// unanswered ends a trip that failed. What it gave back is lost: the store may
// have taken it.
func (l *local) unanswered() {
	l.underway, l.failed = false, true
	l.made += float64(l.asked.Debt)
}

// stirs reports whether a replica at rest is to tell the store of itself: it has
// less than half of what it keeps, or began its rest with less than that, or
// needs most of its slots.
func (l *local) stirs() bool {
	if l.failed || l.limit.Concurrency > 0 && crowded(l.inFlight, l.places().Rest, l.limit.Concurrency) {
		return true
	}
	rest := l.tokens().Rest
	return l.limit.rate() > 0 && (2*int(l.have) < rest || l.held(rest) < rest)
}

// held is the tokens that the replica has had at most since it was answered last.
func (l *local) held(rest int) int {
	if l.told.IsZero() {
		return rest
	}
	return l.heldThen
}

// next returns when the next trip is due, or that none is to be made before the
// next request.
func (l *local) next(now time.Time) (at time.Time, rest bool) {
	quiet := l.idle(now) && l.inFlight == 0
	switch {
	case quiet && l.failed, l.asked.Resting && !l.changed && (quiet || !l.stirs()):
		return now, true
	case l.failed:
		return l.sent.Add(beat), false
	case l.changed:
		return now, false
	}
	at = l.sent.Add(l.pace())
	if ends := l.use.last.Add(idle); ends.After(l.sent) && ends.Before(at) { // it has something to give back
		at = ends
	}
	return at, false
}

// pace returns the time from one trip to the next.
func (l *local) pace() time.Duration {
	empty, short := 2*int(l.have) < l.asked.Have+l.asked.Want, l.answer.Granted < l.asked.Want
	wants := crowded(l.inFlight, l.slots, l.limit.Concurrency)
	switch {
	case l.limit.rate() > 0 && empty && short:
		return max(emptyGap, min(l.answer.Wait, beat), time.Duration(l.asked.Fleet)*perReplica)
	case l.limit.rate() > 0 && empty:
		return gap
	case l.owesSlots(), wants && l.answer.Slots > l.asked.Slots: // those that others hold come with a later beat
		return emptyGap
	case l.limit.rate() > 0 && short:
		return max(beat, min(l.answer.Wait, slowBeat))
	case wants:
		return beat
	default:
		return slowBeat
	}
}

// owesSlots reports whether others wait for slots that can be given back.
func (l *local) owesSlots() bool {
	return l.limit.Concurrency > 0 && l.due < l.slots && l.inFlight < l.slots
}

// leave begins the last trip, which gives everything back.
func (l *local) leave(now time.Time) Ask {
	a := l.ask(now)
	a.Resting, a.Back, a.Have, a.Want = true, a.Back+a.Have, 0, 0
	a.Slots, a.Need = 0, 0
	l.have = 0
	return a
}
