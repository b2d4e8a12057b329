package observability

import (
	"sync"
	"time"

	"iqgateway/internal/exchange"
)

// How many traces of one kind are kept though the sample drops them.
const (
	alwaysEvery = time.Second / 50
	alwaysBurst = 500
)

// allowance is a token bucket, by the time at which it will be full again. The
// zero value is full.
type allowance struct {
	mu   sync.Mutex
	full time.Time
}

// has reports whether there is one left at the time.
func (a *allowance) has(now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.full.Sub(now) <= (alwaysBurst-1)*alwaysEvery
}

// take takes one, if there is one left.
func (a *allowance) take(now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.full.Before(now) {
		a.full = now
	}
	if a.full.Sub(now) > (alwaysBurst-1)*alwaysEvery {
		return false
	}
	a.full = a.full.Add(alwaysEvery)
	return true
}

// allows reports whether one more trace may be kept for a reason. Spans that are
// lost for that are counted.
func (t *Traces) allows(why int, now time.Time, ex *exchange.Exchange) bool {
	if why == keptSampled || t.allowances[why].take(now) {
		return true
	}
	t.counts.Dropped(SignalTraces, "always", spansIn(len(ex.Waits), len(ex.Tries), ex.Cache.Result))
	return false
}
