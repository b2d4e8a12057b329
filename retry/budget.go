package retry

import (
	"sync"
	"time"
)

const (
	// slots of one second each make up the window of a budget. Shorter windows
	// starve services with few requests, longer ones save up too large a burst.
	slots    = 10
	slotTime = time.Second
	// inertia is how many attempts it takes to forget what one took.
	inertia = 8
)

// budget counts what was repeated for one upstream lately. Its zero value, with
// start set, has spent nothing.
type budget struct {
	mu       sync.Mutex
	start    time.Time
	current  int64 // slot that is counted in, from start on
	slots    [slots]spent
	sum      spent         // of slots
	duration time.Duration // that an attempt takes, smoothed; 0 = not known
}

// spent is what was sent in a time.
type spent struct{ requests, repeats int64 }

// request books a request that comes from above, however often it is sent.
func (b *budget) request(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.slot(now).requests++
	b.sum.requests++
}

// spend books one repetition, if ratio leaves room for it.
func (b *budget) spend(now time.Time, ratio float64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	slot := b.slot(now)
	within := float64(b.sum.repeats+1) <= ratio*float64(b.sum.requests)
	if ratio <= 0 || !within && b.sum.repeats > 0 {
		return false
	}
	slot.repeats++
	b.sum.repeats++
	return true
}

// giveBack takes back what was spent at a time, for a repetition that was not
// made.
func (b *budget) giveBack(spentAt time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := int64(spentAt.Sub(b.start) / slotTime)
	if at < 0 || b.current-at >= slots || b.slots[at%slots].repeats == 0 { // forgotten, or booked by another clock
		return
	}
	b.slots[at%slots].repeats--
	b.sum.repeats--
}

// slot returns the one that now falls into, after clearing those that are over.
// It needs the lock.
func (b *budget) slot(now time.Time) *spent {
	at := int64(now.Sub(b.start) / slotTime)
	for over := min(at-b.current, slots); over > 0; over-- {
		b.current++
		old := &b.slots[b.current%slots]
		b.sum.requests -= old.requests
		b.sum.repeats -= old.repeats
		*old = spent{}
	}
	if at > b.current { // more than a window has passed: all are clear
		b.current = at
	}
	return &b.slots[b.current%slots]
}

// took learns how long an attempt takes.
func (b *budget) took(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.duration == 0 {
		b.duration = d
		return
	}
	b.duration += (d - b.duration) / inertia
}

// typical returns how long an attempt takes, as far as that is known.
func (b *budget) typical() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.duration
}
