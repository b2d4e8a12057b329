package limiter

import "time"

// Spend books n tokens that were spent without being asked for: the transport
// has sent a request again, on another connection, and the upstream may have
// counted each of them. Nobody will learn whether it did.
func (l *Local) Spend(now time.Time, n int64) {
	l.advance(now)
	if l.o.Settings.Kind != Window {
		return // the slot is the same
	}
	for range n {
		if l.pool.tokens > 0 {
			l.pool.tokens--
		}
		l.serial++
		l.ledger.lost(l.ledger.take())
	}
	l.changed()
}
