package rawcase

import (
	"sync/atomic"
	"time"
)

const (
	generous = 10 * time.Second
	hurried  = 250 * time.Millisecond
	maxLost  = 5
)

// patience bounds the waits for the other side. What takes longer is a
// failure, so they may be generous at first; once several were in vain, a long
// table must end as a list of failures before go test loses its own patience.
type patience struct {
	lost atomic.Int32 // waits in vain
}

// begin returns the limit of a wait, and what to call at its end.
func (p *patience) begin() (limit time.Duration, end func()) {
	limit = generous
	if p.lost.Load() >= maxLost {
		limit = hurried
	}
	since := time.Now()
	return limit, func() {
		if time.Since(since) >= limit {
			p.lost.Add(1)
		}
	}
}
