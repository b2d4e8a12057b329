// Package clocktest is a clock for tests whose wall can be set apart from its
// monotonic reading, as operators, time servers and suspended machines do.
package clocktest

import (
	"sync"
	"time"
	"unsafe"
)

// Clock stands still until it is told otherwise. Its times have a monotonic
// reading as those of [time.Now] have. It is safe for concurrent use.
type Clock struct {
	base time.Time

	mu    sync.Mutex
	ran   time.Duration // since base, by the monotonic reading
	ahead time.Duration // of the wall clock
}

// New returns a clock that shows the present.
func New() *Clock { return &Clock{base: time.Now()} }

// Now is what to inject in place of [time.Now].
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return ahead(c.base.Add(c.ran), c.ahead)
}

// Pass lets time pass, by both readings.
func (c *Clock) Pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ran += d
}

// Step sets the wall clock alone, by whole seconds. A machine that was suspended
// sees the same: Go's monotonic clock stands still meanwhile.
func (c *Clock) Step(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d.Truncate(time.Second)
}

// ahead returns t with another wall clock reading. Package time has no func for
// it: with a monotonic reading, the first word holds the seconds from bit 30 on.
func ahead(t time.Time, d time.Duration) time.Time {
	const secondsShift = 30
	*(*uint64)(unsafe.Pointer(&t)) += uint64(int64(d/time.Second)) << secondsShift
	return t
}

// Jumps are the ways in which a wall clock leaves the true time.
func Jumps() map[string]time.Duration {
	return map[string]time.Duration{
		"an hour back":                      -time.Hour,
		"an hour on, or suspended for one":  time.Hour,
		"ten minutes behind other replicas": -10 * time.Minute,
		"ten minutes ahead of them":         10 * time.Minute,
		"to 2038":                           time.Until(time.Date(2038, 1, 19, 3, 14, 8, 0, time.UTC)),
	}
}
