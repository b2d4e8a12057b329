package limiter

import "time"

const (
	// openFor is how long Allow sends everything.
	openFor = 30 * time.Second
	// trickleEvery is how often a replica tries one of the last tokens of a
	// window, of which nobody knows whose they are.
	trickleEvery = 50 * time.Millisecond
	// worthTrips is for how many round trips an observation is worth anything:
	// the other replicas go on meanwhile.
	worthTrips = 4
	// blindRate is how many requests a second the fleet sends alone where no
	// answer tells of a limit.
	blindRate = 5
)

// alone is how a replica goes on while the store is away. The upstream's own
// counter is then the blackboard: it counts the other replicas too.
type alone struct {
	since moment // when the store went away; 0 = it is there
	fleet int64  // how many replicas there were then
	until moment // after its return: until when the others may still be alone

	// rest is the least that an answer has left of what the fleet may use of this
	// window, and sent when its request was sent. Every answered request is
	// counted in it: what else may be counted is under way, or others'.
	observed bool
	sent     moment
	rest     int64

	began int64  // serial when the window or the absence began
	spent moment // when the last token was spent
	next  moment // of paced modes: when the next one may be
}

// Alone reports whether the replica goes on without the store.
func (l *Local) Alone() bool { return l.alone.since != 0 }

// denied reports whether the store is away and nothing is done without it.
func (l *Local) denied() bool {
	return l.alone.since != 0 && l.o.Settings.OnStoreError == Deny
}

// observe learns from an answer of the current window.
func (a *alone) observe(t *Ticket, o Observation, limit int64) {
	rest := o.Remaining
	if limit > 0 {
		rest = min(rest, max(0, limit-o.Used()))
	}
	if a.observed && rest > a.rest {
		return
	}
	a.observed, a.sent, a.rest = true, t.taken, rest
}

// leave notes that the store has gone away from a fleet of so many.
func (a *alone) leave(m moment, serial, fleet int64) {
	if a.since == 0 {
		a.since, a.began, a.fleet = m, serial, fleet
	}
}

// end notes that the store is back.
func (a *alone) end(m moment) {
	if a.since != 0 {
		a.since, a.until = 0, m+recoverFor*time.Millisecond
	}
}

// told is [Ask.Alone].
func (a *alone) told(m moment) int64 {
	if a.since != 0 || m < a.until {
		return a.fleet
	}
	return 0
}

// renew forgets what was known of an older window.
func (a *alone) renew(serial int64) { a.observed, a.began = false, serial }

// mayAlone reports whether the lane may have a token that the store knows
// nothing of.
func (l *Local) mayAlone(m moment, ln *lane) bool {
	a, s := &l.alone, &l.o.Settings
	switch {
	case a.since == 0 || s.OnStoreError == Deny:
		return false
	case s.OnStoreError == Allow && m < a.since+openFor:
		return true
	case s.Kind == Concurrency:
		return l.underWay() < max(1, l.limit()/l.fleet())
	}
	n := l.fleet()
	if c := ln.caller; c.capped() && l.limit() > 0 && c.spent() >= max(1, c.limit.Of(l.limit())/n) {
		return false
	}
	switch l.mode() {
	case ModeLimitOnly, ModeBlind, ModeSliding:
		return m >= a.next
	default:
		return l.windowAlone(m, n)
	}
}

// windowAlone decides about one more token of the current window. The parts of
// n replicas are half of what is left; what follows the next observation is
// half of the rest, and so on. One request at a time may always ask the
// upstream itself while enough is left.
func (l *Local) windowAlone(m moment, n int64) bool {
	a, limit := &l.alone, l.limit()
	probe := l.underWay() == 0
	spaced := m >= a.spent+trickleEvery
	switch {
	case a.observed:
		return l.observedAlone(m, n, probe, spaced)
	case limit == 0:
		return probe
	case l.ledger.epoch != 0 && l.heard && l.spent() && l.window.hi != 0:
		return false // the store's last word of this window
	default: // nobody has told how much of it is left
		return spaced && (probe || l.serial-a.began < limit/(2*n))
	}
}

// spent reports whether the store has said that nothing is left of the window,
// as a store that knew the window.
func (l *Local) spent() bool {
	a := &l.last
	return a.Mode == ModeKnown && a.Own+a.External+a.Margin >= a.Limit
}

// observedAlone decides by what answers have left.
func (l *Local) observedAlone(m moment, n int64, probe, spaced bool) bool {
	a := &l.alone
	if l.window.hi == 0 && m >= a.sent+l.spanOrDefault() {
		return probe && spaced // it is over, or has slid; nothing else would tell
	}
	switch rest := l.restAlone(); {
	case rest < 1:
		return false
	case rest < 2*n:
		return probe && spaced
	}
	worth := worthTrips * max(time.Millisecond, l.trips.quantile(50))
	if l.window.hi > 0 {
		worth = min(worth, max(1, l.window.hi-m))
	}
	part := max(0, 1-float64(m-a.sent)/float64(worth))
	return int64(part*float64(a.rest)/float64(2*n)) > l.underWay() || probe
}

// restAlone is what is left of the window when all that is ours and not
// counted yet has been.
func (l *Local) restAlone() int64 {
	return l.alone.rest - l.underWay() - l.ledger.doubtful - l.ledger.older.doubtful
}

// spendsLease reports whether a token that is held may still be spent: while
// the store is away not when others have come close to the end of the window.
func (l *Local) spendsLease() bool {
	a := &l.alone
	return a.since == 0 || l.o.Settings.OnStoreError != UseLocalShare || !a.observed ||
		l.restAlone() >= 2*l.fleet()
}

// spentAlone books a token that was spent while the store is away.
func (l *Local) spentAlone(m moment) {
	a := &l.alone
	a.spent = m
	each := time.Second / blindRate
	if limit := l.limit(); limit > 0 {
		each = l.spanOrDefault() / time.Duration(limit)
	}
	a.next = m + each*time.Duration(l.fleet())
}

// spanOrDefault is the length of a window, a minute where nothing is known.
func (l *Local) spanOrDefault() time.Duration {
	if span := l.span(); span > 0 {
		return span
	}
	return defaultSpan * time.Millisecond
}

// underWay is how many requests have no outcome yet, or hold a slot.
func (l *Local) underWay() int64 { return l.ledger.open + l.ledger.older.open }

// passed reports whether the current window is over for certain.
func (l *Local) passed(m moment) bool {
	return l.window.hi != 0 && m >= l.window.hi+rollGuard*time.Millisecond
}

// passAlone goes on to the next window when the old one is over for certain and
// the store is not there to say so.
func (l *Local) passAlone() {
	if l.alone.since == 0 || l.o.Settings.Kind != Window || !l.passed(l.now) {
		return
	}
	w := l.window
	l.begin(0, 0)
	l.changed()
	l.alone.renew(l.serial)
	if span := l.span(); l.last.Clock && span > 0 {
		k := (l.now-w.hi)/span + 1
		l.window.lo, l.window.hi = w.lo+k*(span-time.Millisecond), w.hi+k*(span+time.Millisecond)
	}
}

// proveAlone does so when an answer has named the next window.
func (l *Local) proveAlone(_ moment, name int64) {
	if l.alone.since == 0 {
		return
	}
	l.begin(0, name)
	l.changed()
	l.alone.renew(l.serial)
	if i := l.seen.index(name, l.tolerance()); i >= 0 {
		l.window = localWindow{lo: l.seen[i].lo, hi: l.seen[i].hi}
	}
}

// confirmAlone gives a window that began without the store its name.
func (l *Local) confirmAlone(name int64) {
	if l.alone.since != 0 && l.ledger.name == 0 {
		l.ledger.call(name, l.tolerance())
	}
}

// begin starts a new generation.
func (l *Local) begin(epoch, name int64) {
	l.ledger.roll(epoch, name, l.tolerance())
	l.queue.renew()
	l.pool.tokens = 0
	l.window = localWindow{}
	l.shut = 0
}
