package callerlimit

import (
	"math"
	"time"
)

const (
	// trust is for how long after a trip a replica believes that it holds what
	// the trip gave: shorter than the store's [Silence], so that a process that
	// stood still does not spend what others have got meanwhile.
	trust = 2 * time.Second
	// patience is after how long a trip counts as failed for the requests that
	// come meanwhile.
	patience = 100 * time.Millisecond
	// idle is after how long without a request a replica gives back what it does
	// not keep at rest.
	idle = time.Second
)

// local is this replica's side of one caller's limit. It decides, and nothing
// else: time is an argument, trips are made by others.
type local struct {
	limit Limit
	fleet func() int // nil = this replica is alone, for ever

	have  float64   // tokens; a fraction only of those made here
	made  float64   // tokens made here that the store has not been told of
	until time.Time // to which tokens were made

	inFlight int
	slots    int // that the last trip gave
	due      int // that are to be kept of them

	awake    bool      // trips are made
	planned  time.Time // when the next one is to be made
	underway bool      // one of them right now
	changed  bool      // the limit, since the last one began
	sent     time.Time // when the last one began
	told     time.Time // when the last one began that was answered; zero = none was
	failed   bool      // the last one did
	asked    Ask       // of the last one
	answer   Answer    // of the last one that was answered
	heldThen int       // tokens after it

	use use
}

// use is what requests have made of it since the last trip, or lately.
type use struct {
	since    time.Time
	last     time.Time // request
	requests int       // that wanted a token
	demand   float64   // requests a second, lately
	peak     int       // requests under way
	refused  int       // for want of a slot
}

func newLocal(limit Limit, fleet func() int) *local {
	l := &local{limit: limit, fleet: fleet}
	l.have = float64(l.tokens().Rest)
	return l
}

func (l *local) replicas() int {
	if l.fleet == nil {
		return 1
	}
	return max(1, l.fleet())
}

// tokens and places are how burst and concurrency are divided right now.
func (l *local) tokens() Parts { return Divide(l.limit.Burst, l.replicas()) }
func (l *local) places() Parts { return Divide(l.limit.Concurrency, l.replicas()) }

// configure changes the limit at once. What is counted stays. Of less there is
// as much less here, whatever others hold.
func (l *local) configure(limit Limit) {
	if limit == l.limit {
		return
	}
	before := l.limit
	l.limit, l.changed = limit, true
	if before.rate() == 0 {
		l.have = float64(l.tokens().Rest)
	}
	if limit.Burst < before.Burst {
		l.have = min(l.have, float64(l.tokens().Equal))
	}
	switch rest := l.places().Rest; {
	case before.Concurrency == 0:
		l.slots, l.due = rest, rest
	case limit.Concurrency < before.Concurrency:
		l.slots = max(rest, l.slots*limit.Concurrency/before.Concurrency)
		l.due = min(l.due, l.slots)
	}
}

// away reports whether the replica goes by its own part.
func (l *local) away(now time.Time) bool {
	return l.fleet == nil || l.failed || l.underway && now.Sub(l.sent) > patience
}

// leased reports whether what trips gave may be used.
func (l *local) leased(now time.Time) bool {
	return l.awake && now.Sub(l.told) <= trust
}

// take decides one request: it is admitted, and then ends with [local.free], or
// refused for a reason, with the time until it may be worth another try.
func (l *local) take(now time.Time) (Reason, time.Duration) {
	l.use.last = now
	if !l.awake && now.Sub(l.use.since) > beat { // nobody else measures
		l.use = use{since: now.Add(-ahead), last: now, peak: l.inFlight}
	}
	if l.limit.Concurrency > 0 && l.inFlight >= l.allowance(now) {
		l.use.refused++
		return ReasonConcurrency, 0
	}
	l.use.requests++
	if l.limit.rate() > 0 {
		if l.refresh(now); l.have < 1 {
			return ReasonRate, l.untilToken(now)
		}
		l.have--
	}
	l.inFlight++
	l.use.peak = max(l.use.peak, l.inFlight)
	return "", 0
}

// free ends a request.
func (l *local) free() { l.inFlight-- }

// allowance returns how many requests may be under way here.
func (l *local) allowance(now time.Time) int {
	switch {
	case l.away(now):
		return l.places().Equal
	case l.leased(now):
		return min(l.slots, l.due)
	default:
		return l.places().Rest
	}
}

// refresh has the tokens be what they are now. They are made here only while
// the store is away.
func (l *local) refresh(now time.Time) {
	part := l.tokens()
	switch {
	case !l.away(now):
		if !l.leased(now) {
			l.have = min(l.have, float64(part.Rest))
		}
	case l.until.IsZero():
	default:
		if !l.leased(now) {
			l.have = min(l.have, float64(part.Equal))
		}
		made := l.limit.rate() / float64(l.replicas()) * now.Sub(l.until).Seconds()
		if made = min(made, float64(part.Equal)-l.have); made > 0 {
			l.have += made
			l.made += made
		}
	}
	l.until = now
}

// untilToken returns when a token can be expected.
func (l *local) untilToken(now time.Time) time.Duration {
	if l.away(now) {
		return time.Duration((1 - l.have) / l.limit.rate() * float64(l.replicas()) * float64(time.Second))
	}
	return max(0, l.answer.Wait-now.Sub(l.told))
}

// idle reports whether there was no request for some time.
func (l *local) idle(now time.Time) bool { return now.Sub(l.use.last) >= idle }

// measure has demand follow a rise at once and a fall by and by.
func (l *local) measure(now time.Time) {
	since := max(now.Sub(l.use.since), time.Millisecond).Seconds()
	l.use.demand = max(float64(l.use.requests)/since, l.use.demand/2)
}

// target returns the tokens that the replica would like to hold.
func (l *local) target(part Parts) int {
	spent := int(math.Ceil(min(l.use.demand*ahead.Seconds(), float64(part.Whole))))
	return min(max(spent, part.Rest), max(part.Whole/mostOf, part.Rest))
}
