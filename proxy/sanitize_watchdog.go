package proxy

import (
	"sync"
	"time"
)

// watchdog calls fire when start is not followed by stop within idle.
type watchdog struct {
	idle time.Duration
	fire func()

	mu       sync.Mutex
	timer    *time.Timer
	deadline time.Time // zero while stopped
}

func (d *watchdog) start() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.deadline = time.Now().Add(d.idle)
	if d.timer == nil {
		d.timer = time.AfterFunc(d.idle, d.expire)
		return
	}
	d.timer.Reset(d.idle)
}

func (d *watchdog) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.deadline = time.Time{}
	if d.timer != nil {
		d.timer.Stop()
	}
}

// expire may be late: the deadline, not the timer, decides.
func (d *watchdog) expire() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.deadline.IsZero() && !time.Now().Before(d.deadline) {
		d.fire()
	}
}

// passed is a deadline that ends what it is set for at once.
func passed() time.Time { return time.Unix(1, 0) }
