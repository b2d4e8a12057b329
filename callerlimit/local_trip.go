package callerlimit

import (
	"math"
	"time"
)

const (
	// beat is the time between two trips while a caller is active.
	beat = 250 * time.Millisecond
	// slowBeat is that of a replica at rest that waits for tokens to keep;
	// shorter than [Silence], or the store would count it as one that has them.
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
)

// ask begins a trip.
func (l *local) ask(now time.Time) Ask {
	n := l.replicas()
	a := Ask{Fleet: n, Rate: l.limit.rate(), Burst: l.limit.Burst, Concurrency: l.limit.Concurrency}
	if a.Rate > 0 {
		l.askTokens(now, &a, divide(a.Burst, n))
	}
	if a.Concurrency > 0 {
		l.askSlots(now, &a, divide(a.Concurrency, n))
	}
	a.Resting = l.idle(now) && l.inFlight == 0 && !l.short()
	l.use = use{since: now, last: l.use.last, demand: l.use.demand, peak: l.inFlight}
	l.underway, l.sent, l.asked = true, now, a
	return a
}

func (l *local) askTokens(now time.Time, a *Ask, part parts) {
	l.refresh(now)
	l.measure(now)
	target := l.target(now, part)
	l.have = math.Floor(l.have)
	if over := int(l.have) - target; over > 0 && l.idle(now) {
		a.Back = over
		l.have -= float64(over)
	}
	a.Have = int(l.have)
	a.Want = max(0, target-a.Have)
	a.Debt = int(l.made)
	l.made -= float64(a.Debt)
}

func (l *local) askSlots(now time.Time, a *Ask, part parts) {
	keep := part.rest
	if l.leased(now) && !l.away(now) && !l.idle(now) {
		keep = min(l.slots, l.due)
	}
	// From here on the replica goes by what it tells.
	a.Slots = max(keep, l.inFlight)
	l.slots, l.due = a.Slots, max(keep, l.inFlight)
	a.Need = max(part.rest, min(l.use.peak+max(l.use.peak/3, l.use.refused)+1, a.Concurrency))
	if l.idle(now) {
		a.Need = max(part.rest, l.inFlight)
	}
}

// measure has demand follow a rise at once and a fall by and by.
func (l *local) measure(now time.Time) {
	since := max(now.Sub(l.use.since), time.Millisecond).Seconds()
	l.use.demand = max(float64(l.use.requests)/since, l.use.demand/2)
}

// target returns the tokens that the replica would like to hold.
func (l *local) target(now time.Time, part parts) int {
	if l.idle(now) {
		return part.rest
	}
	spent := int(math.Ceil(min(l.use.demand*ahead.Seconds(), float64(part.whole))))
	return min(max(spent, part.rest), max(part.whole/mostOf, part.rest))
}

func (l *local) idle(now time.Time) bool { return now.Sub(l.use.last) >= idle }

// answered ends a trip.
func (l *local) answered(a Answer) {
	l.underway, l.failed = false, false
	l.told, l.answer = l.sent, a
	l.have += float64(a.Granted)
	l.slots, l.due = a.Slots, a.Due
}

// unanswered ends a trip that failed. What it gave back is lost: the store may
// have taken it.
func (l *local) unanswered() {
	l.underway, l.failed = false, true
	l.made += float64(l.asked.Debt)
}

// hurried returns when the next trip is to be made if it is urgent, else the
// zero time.
func (l *local) hurried() time.Time {
	switch {
	case l.failed || l.underway:
		return time.Time{}
	case l.limit.rate() > 0 && 2*int(l.have) < l.asked.Have+l.asked.Want:
		if l.answer.Granted < l.asked.Want {
			return l.sent.Add(max(emptyGap, min(l.answer.Wait, beat), time.Duration(l.asked.Fleet)*perReplica))
		}
		return l.sent.Add(gap)
	case l.limit.Concurrency > 0 && (l.wantsSlots() || l.owesSlots()):
		return l.sent.Add(emptyGap)
	default:
		return time.Time{}
	}
}

// wantsSlots reports whether most slots are in use and there may be more: those
// that others hold come with a later beat.
func (l *local) wantsSlots() bool {
	return 4*l.inFlight >= 3*l.slots && l.slots < l.limit.Concurrency && l.answer.Slots > l.asked.Slots
}

// owesSlots reports whether others wait for slots that can be given back.
func (l *local) owesSlots() bool { return l.due < l.slots && l.inFlight < l.slots }

// next returns when the next trip is due, or that none is to be made before the
// next request.
func (l *local) next(now time.Time) (at time.Time, rest bool) {
	quiet := l.idle(now) && l.inFlight == 0
	switch urgent := l.hurried(); {
	case quiet && (l.failed || l.asked.Resting):
		return now, true
	case quiet && l.short() && !l.failed:
		return l.sent.Add(min(max(beat, l.answer.Wait), slowBeat)), false
	case !urgent.IsZero():
		return urgent, false
	default:
		return l.sent.Add(beat), false
	}
}

// short reports whether tokens are missing of those that a replica keeps.
func (l *local) short() bool {
	return l.limit.rate() > 0 && int(l.have) < divide(l.limit.Burst, l.replicas()).rest
}

// leave begins the last trip, which gives everything back.
func (l *local) leave(now time.Time) Ask {
	a := l.ask(now)
	a.Resting, a.Back, a.Have, a.Want = true, a.Back+a.Have, 0, 0
	a.Slots, a.Need = 0, 0
	l.have = 0
	return a
}
