package limiter

import "time"

// nameOf returns the name of the window that an answer tells of, 0 if it tells
// of none. Where the upstream gives only the time to its end, the end by the
// store's clock is the name, unless others have real ones: the two clocks may
// differ.
func (l *Local) nameOf(m moment, t *Ticket, o Observation) int64 {
	switch {
	case o.Kind != Windowed:
		return 0
	case !o.Reset.IsZero():
		if !l.believes(m, t, o, o.Reset.UnixMilli()) {
			return 0
		}
		l.form, l.formed = o.ResetForm, true
		return o.Reset.UnixMilli()
	case l.formed || !o.HasResetSeconds || !l.clock.known:
		return 0
	}
	middle := t.taken + (m-t.taken)/2 + time.Duration(o.ResetSeconds)*time.Second
	return (l.clock.early(middle) + 500) / 1000 * 1000
}

// answeredNamed books an answer that names a window. One that names an older
// window than this one changes nothing but the books.
func (l *Local) answeredNamed(m moment, t *Ticket, o Observation, name int64) {
	l.tellApart(t, name)
	tolerance := l.tolerance()
	b := &l.ledger
	current := b.name != 0 && abs(name-b.name) <= tolerance || b.name == 0 && name > b.previous+tolerance
	newer := b.name != 0 && name > b.name+tolerance
	if current || newer {
		l.see(m, t, o, name, newer)
	}
	l.ledger.named(t.stamp, name, tolerance)
	switch {
	case newer:
		l.proveAlone(m, name)
	case current:
		l.confirmAlone(name)
	}
	if !current && !newer {
		return
	}
	l.alone.observe(t, o, l.limit())
	switch {
	case !o.Refused():
	case o.Remaining > 0:
		l.refusedHidden()
	default:
		l.shutWindow(m, name)
	}
}

// tellApart narrows how much names of one window may differ when windows prove
// to be short: while their length is not known, the name of the next one may
// lie as close as a stray name of the old one. But that was over for certain
// when this request was sent.
func (l *Local) tellApart(t *Ticket, name int64) {
	b := &l.ledger
	d := name - b.previous
	if b.name == 0 && b.previous != 0 && l.last.Span == 0 && t.stamp == b.generation && d >= minApart && d <= l.tolerance() {
		l.apart = d / 4
	}
}

// minApart is how far two names must lie apart to be of two windows, in
// milliseconds.
const minApart = 500

// see merges what the answer says and asks at once if it is a surprise.
func (l *Local) see(m moment, t *Ticket, o Observation, name int64, newer bool) {
	own := l.ledger.sent + l.ledger.carry()
	if newer {
		own = l.ledger.most()
	}
	s := see(o, name, own, t.taken, m, l.span())
	if l.seen.add(s, l.tolerance()) && (!l.heard || abs(name-l.last.Name) > l.tolerance()) {
		l.ask.urgent = true
	}
	if newer {
		return
	}
	joined := l.seen[l.seen.index(name, l.tolerance())]
	if l.alone.since != 0 || l.ledger.name != 0 {
		l.window.lo, l.window.hi = max(l.window.lo, joined.lo), firstOf(l.window.hi, joined.hi)
	}
	if l.heard && m >= l.ask.lastAt+surpriseEvery && o.Used() > l.expected() {
		l.ask.urgent = true
	}
}

// surpriseEvery is how often the upstream's count may surprise.
const surpriseEvery = 100 * time.Millisecond

// expected is how much the upstream may have counted without being a surprise:
// what the fleet has taken and others are known to have, and a part of what is
// left, which others may have been granted since.
func (l *Local) expected() int64 {
	a := &l.last
	return a.Own + a.External + l.unbooked() + a.Margin + max(1, a.Available/16)
}

// shutWindow spends nothing more in a window that the upstream says is spent.
func (l *Local) shutWindow(m moment, name int64) {
	l.ask.urgent = true
	l.pool.tokens = 0
	end := m + time.Second // of which nothing is known
	if i := l.seen.index(name, l.tolerance()); i >= 0 && l.seen[i].hi > 0 {
		end = l.seen[i].hi
	}
	l.shut = max(l.shut, end)
}
