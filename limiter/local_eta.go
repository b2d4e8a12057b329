package limiter

import "time"

const (
	// unknownRetry is what a refused caller is told where nobody knows better.
	unknownRetry = time.Second
	maxJitterETA = 2 * time.Second
)

// eta returns in how long the turn of a request comes that is at a position,
// 1 or more, of its lane. It is never too late, so that nobody is refused who
// could have been served; 0 is now or soon. It is unknown while nothing is known
// of the window.
func (l *Local) eta(m moment, ln *lane, position int64) (eta time.Duration, known bool) {
	pause := max(0, l.paused-m, l.ask.blocked-m)
	switch mode := l.mode(); {
	case mode == ModeSlots, mode == ModeCold, !l.heard:
		return pause, pause > 0
	case l.alone.since != 0:
		return max(pause, l.shut-m), max(pause, l.shut-m) > 0
	case mode != ModeKnown && position <= l.leftFor(ln):
		return pause, true
	case mode != ModeKnown:
		return max(pause, l.ask.again-m), true
	}
	left := l.leftFor(ln)
	if l.shut > m || l.ask.blocked > m && l.ask.blocked >= l.window.hi {
		left = 0 // a block that ends before the window does leaves what is left
	}
	if position <= left || l.passed(m) {
		return pause, true
	}
	if l.window.hi == 0 {
		return 0, false
	}
	eta = max(pause, l.window.hi+rollGuard*time.Millisecond-m)
	fair := max(1, ln.fair/max(1, l.last.Replicas))
	if ln.generation < 0 {
		fair = max(1, l.last.Limit)
	}
	return eta + time.Duration((position-left-1)/fair)*l.span(), true
}

// leftFor is how much of the window a lane could still get.
func (l *Local) leftFor(ln *lane) int64 {
	if ln.generation == l.ledger.generation {
		return max(0, ln.left)
	}
	return max(0, l.last.Available+l.pool.tokens)
}

// retryAfter is what a refused caller is told: never before its turn comes, and
// not the same to all.
func (l *Local) retryAfter(eta time.Duration) time.Duration {
	if eta <= 0 {
		eta = unknownRetry
	}
	return eta + time.Duration(l.random()*float64(min(eta/10, maxJitterETA)))
}
