package limiter

import "time"

const (
	heartbeat = time.Second
	// waitBeat is the heartbeat of a replica on which requests wait and nothing
	// else is: just often enough to be counted.
	waitBeat = 2 * time.Second
	// reserveFor is for how long a replica holds tokens ahead, at most, and
	// how much of a window that may be.
	reserveFor   = 2 * time.Second
	reserveParts = 20
	// lowWater is the demand for which tokens are left when the next are asked
	// for: about one trip to the store.
	lowWater = 50 * time.Millisecond
	// repeatFor is how long a failed Ask is worth its repetition. Its tokens
	// come back anyway with the next one.
	repeatFor = time.Second

	// nextRetry follows the first failure: it was most likely one slow answer.
	nextRetry  = 5 * time.Millisecond
	firstRetry = 50 * time.Millisecond
	lastRetry  = 500 * time.Millisecond
	// failuresAway is how many in a row mean that the store is away: a third of a
	// second, if it lets them time out. One that was slow has answered the others,
	// and grants them what would be spent without it.
	failuresAway = 3
	// askAgain is when to ask again if the fleet did not say.
	askAgain = 50 * time.Millisecond
)

// asking is the state of the trips to the store.
type asking struct {
	seq      int64
	flight   *flight // the Ask under way
	failed   *flight // one whose answer did not come
	failures int     // in a row
	retryAt  moment

	lastAt moment // when the last Ask was made
	taken  int64  // serial then
	served int64  // serial when the Ask was made that was answered last

	// wanted says that a request waits of which the fleet does not know, urgent
	// that something is to be told at once.
	wanted, urgent bool
	changes, told  int64 // something is to be told if they differ

	again   moment // when to ask again for those who wait
	blocked moment // before when nothing is granted
	jitter  time.Duration
	ahead   bool // the last Answer granted tokens ahead
}

// flight is an Ask and what the replica's state was when it was made.
type flight struct {
	ask        Ask
	generation int64
	at         moment
	changes    int64
	serial     int64
}

// Ask returns what to tell the store now, and false if there is nothing to tell
// or an Ask is under way. A failed one is returned again, with the same Seq,
// while that makes sense.
func (l *Local) Ask(now time.Time) (Ask, bool) {
	m := l.advance(now)
	if l.due() > m {
		return Ask{}, false
	}
	t := &l.ask
	f := t.failed
	if f == nil || f.generation != l.ledger.generation || m-f.at > repeatFor || l.leaving ||
		l.serial-f.serial > f.ask.Keep { // it does not tell of all that was spent
		f = l.compose(m)
	}
	// Of a repeated one only this is new: the store compares it with its clock,
	// and is careful.
	f.ask.At, f.ask.Alone = l.clock.early(m), l.alone.told(m)
	t.flight, t.failed = f, nil
	t.lastAt, t.taken = m, l.serial
	return f.ask, true
}

// compose makes a new Ask.
func (l *Local) compose(m moment) *flight {
	t, s := &l.ask, &l.o.Settings
	t.seq++
	t.wanted, t.urgent = false, false
	l.surrender(m)
	f := &flight{generation: l.ledger.generation, at: m, changes: t.changes, serial: l.serial}
	f.ask = Ask{
		Replica: l.o.Replica, Seq: t.seq, Parameters: l.parameters(),
		Epoch: l.ledger.epoch, Name: l.ledger.name,
		Sent: l.ledger.sent, Keep: l.pool.tokens, Done: l.ledger.done, Carry: l.ledger.carry(), Flight: l.underWay(), Alone: l.alone.told(m),
		Seen: l.seen.tell(&l.clock), Unnamed: l.unnamed, Refused: l.refused, LimitSeen: l.limitSeen,
		HoldUntil: l.holdUntil(m),
		RTT:       l.trips.quantile(95).Milliseconds(),
		Ahead:     l.reserve(m), Uses: l.queue.uses(m, s.Kind == Concurrency),
		Leaving: l.leaving,
	}
	return f
}

// holdUntil tells of a Retry-After that has not passed.
func (l *Local) holdUntil(m moment) int64 {
	if m >= l.paused {
		return 0
	}
	return l.clock.late(l.paused)
}

// reserve is how many tokens the replica would like to hold ahead: what it will
// need soon, and less of what is left the nearer the window's end is.
func (l *Local) reserve(m moment) int64 {
	s := &l.o.Settings
	if !s.Enforce || s.Kind == Concurrency || l.leaving || !l.reaches(m) {
		return 0
	}
	ahead := reserveFor
	if span := l.span(); span > 0 {
		ahead = min(ahead, span/reserveParts)
	}
	n := int64(l.demand.rate(m) * ahead.Seconds())
	if l.heard && l.last.Mode == ModeKnown && !l.passed(m) {
		n = min(n, l.last.Available/(4*max(1, l.last.Replicas)))
	}
	return n
}

// surrender gives tokens back that will not be needed soon.
func (l *Local) surrender(m moment) {
	keep := l.reserve(m)
	if m-l.pool.taken > reserveFor {
		keep = 0
	}
	l.pool.tokens = min(l.pool.tokens, keep)
}

// due returns when there is something to ask or tell, never if nothing is.
func (l *Local) due() moment {
	t := &l.ask
	switch {
	case t.flight != nil || l.left:
		return never
	case t.failures > 0:
		return t.retryAt
	case l.leaving || t.urgent || l.low():
		return l.now
	}
	at := never
	if l.queue.total() > 0 {
		at = l.dueForWaiting()
	}
	switch {
	case t.changes != t.told || l.pool.tokens > 0 || l.underWay() > 0:
		at = min(at, t.lastAt+heartbeat)
	case l.queue.total() > 0:
		at = min(at, t.lastAt+waitBeat)
	}
	return at
}

// dueForWaiting is when to ask for those who wait.
func (l *Local) dueForWaiting() moment {
	t := &l.ask
	at := t.again
	if t.wanted || at == 0 {
		at = l.now
	}
	at = max(at, t.blocked)
	if l.queue.waiting[Interactive] == 0 && at > l.now {
		at += t.jitter // not everybody at once when a window opens
	}
	return at
}

// low reports whether the tokens ahead end soon.
func (l *Local) low() bool {
	if !l.ask.ahead || l.serial == l.ask.taken || l.alone.since != 0 {
		return false
	}
	return float64(l.pool.tokens) <= l.demand.rate(l.now)*lowWater.Seconds() && l.reserve(l.now) >= 1
}

// want notes that a request of the lane waits. If the fleet has said that the
// lane gets nothing before a certain time, it need not know at once.
func (l *Local) want(m moment, ln *lane) {
	if ln.generation == l.ledger.generation && ln.left <= 0 && l.ask.again > m {
		return
	}
	l.ask.wanted = true
}
