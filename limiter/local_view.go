package limiter

import "time"

// blockSlack is how much later than the window's end a block must end to be
// more than the window that is spent.
const blockSlack = 2 * time.Second

// View shows the bucket to a caller.
func (l *Local) View(now time.Time, caller string) View {
	return l.view(l.advance(now), caller)
}

func (l *Local) view(m moment, caller string) View {
	v := View{Mode: l.mode(), Limit: l.limit(), Window: l.span(), External: l.last.External, Top: l.last.Top}
	v.Known = isKnown(v.Mode, v.Limit)
	fresh := l.passed(m)
	if l.window.hi > 0 {
		v.Opens = max(0, l.window.hi-m)
	}
	if name := l.ledger.name; name != 0 && !fresh {
		v.Reset, v.Form = time.UnixMilli(name).UTC(), l.form
	}
	l.viewBlock(m, &v)
	c := l.queue.callers[caller]
	if c == nil {
		c = &queueCaller{name: caller}
		c.configure(l.o.Settings.Shares)
	}
	v.Remaining = l.remaining(m, c, fresh)
	l.viewShare(&v, c, fresh)
	return v
}

func isKnown(mode Mode, limit int64) bool {
	return limit > 0 && (mode == ModeSlots || mode == ModeKnown || mode == ModeLimitOnly || mode == ModeSliding)
}

// standing is the part of the view that each attempt is told with.
func (l *Local) standing(now time.Time, caller string) standing {
	m, limit := l.advance(now), l.limit()
	if c := l.queue.callers[caller]; c != nil && isKnown(l.mode(), limit) {
		return standing{limit, l.remaining(m, c, l.passed(m))}
	}
	return standing{}
}

// viewBlock puts the end of a block that outlasts the window in place of the
// window's: nobody gets anything before.
func (l *Local) viewBlock(m moment, v *View) {
	end := l.window.hi + rollGuard*time.Millisecond + blockSlack
	if m >= l.ask.blocked || l.window.hi != 0 && l.ask.blocked <= end {
		return
	}
	v.Blocked, v.Opens = true, l.ask.blocked-m
	v.Reset = time.Time{} // it names the window
}

// remaining is what a caller could still get of the window.
func (l *Local) remaining(m moment, c *queueCaller, fresh bool) int64 {
	rest := l.last.Available + l.pool.tokens - l.unbooked()
	switch {
	case l.alone.since != 0 && l.alone.observed:
		rest = l.restAlone()
	case fresh, !l.heard:
		rest = l.limit()
	}
	if best, told := l.best(c); told && !fresh && l.alone.since == 0 {
		rest = min(rest, best)
	}
	if m < l.shut || m < l.ask.blocked {
		rest = 0
	}
	if c.capped() {
		rest = min(rest, c.limit.Of(l.limit()))
	}
	return min(max(0, rest), l.limit())
}

// best is the most that any class of a caller could get.
func (l *Local) best(c *queueCaller) (left int64, told bool) {
	for i := range c.lanes {
		if ln := &c.lanes[i]; ln.generation == l.ledger.generation && ln.caller != nil {
			left, told = max(left, ln.left), true
		}
	}
	return left, told
}

// viewShare fills in what is the caller's own.
func (l *Local) viewShare(v *View, c *queueCaller, fresh bool) {
	limit := l.limit()
	v.Cap = c.limit.Of(limit)
	v.Share = c.guarantee.Of(limit)
	if !c.guarantee.None() && limit > 0 {
		v.Share = max(1, v.Share)
	} else {
		for i := range c.lanes {
			v.Share = max(v.Share, c.lanes[i].fair)
		}
	}
	if c.capped() {
		v.Cap = max(1, v.Cap)
		v.Share = min(v.Share, v.Cap)
	}
	spent := c.spent()
	for _, u := range l.last.Top {
		if u.Caller == c.name {
			spent = max(spent, u.Spent)
		}
	}
	if fresh {
		spent = 0
	}
	v.ShareRemaining = max(0, v.Share-spent)
	v.Limiting = c.capped() && v.Remaining == 0 && l.last.Available > 0 && !fresh
}
