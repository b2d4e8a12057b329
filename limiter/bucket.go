package limiter

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"iqgateway/internal/steady"
)

const (
	// maxPrompt bounds the asks that one call carries to a store in memory; what
	// is left is due at once, by timer.
	maxPrompt = 4
	// minSleep keeps a timer that is due already from spinning.
	minSleep = time.Millisecond
	// panicPause comes after a tick that panicked.
	panicPause = time.Second
)

// bucket makes a [Local] concurrent: it locks, carries asks and wakes up when
// something is due. Hooks are called, and stores that take time asked, without
// the lock.
type bucket struct {
	limiter *Limiter
	key     Key
	memory  *Memory // the store, if it answers at once
	trip    func(Ask) (Answer, error)

	users  int         // Sets; under limiter.mu
	unused atomic.Bool // users == 0

	// config is what the newest configuration says.
	config atomic.Pointer[described]

	mu      sync.Mutex
	local   *Local
	budget  retryBudget
	timer   *time.Timer
	wake    time.Time // when timer fires; zero = it does not
	stopped bool

	span   atomic.Int64 // of the window in milliseconds, 0 = unknown
	away   bool         // the store did not answer last
	fresh  int          // 429s of the current window since the last ask
	told   int          // of them, those that the ask under way tells
	leaves bool
	left   chan struct{} // closed once there is nothing to give back any more
}

// described is a [Bucket] with its name made out.
type described struct {
	Bucket
	name Name
}

func newBucket(l *Limiter, b Bucket, replica string) *bucket {
	memory, _ := l.options.Store.(*Memory)
	made := &bucket{
		limiter: l, key: b.Key, memory: memory, trip: trips{l, b.Key}.acquire,
		local: NewLocal(LocalOptions{
			Replica: replica, Settings: b.Settings, Random: l.options.Random, Fleet: l.options.Fleet,
		}),
		left: make(chan struct{}),
	}
	made.config.Store(&described{Bucket: b, name: b.name()})
	return made
}

func (b *bucket) now() time.Time { return b.limiter.options.Now() }

func (b *bucket) name() Name { return b.config.Load().name }

func (b *bucket) settings() *Settings { return &b.config.Load().Settings }

func (b *bucket) configure(with Bucket) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.config.Store(&described{Bucket: with, name: with.name()})
	b.local.SetSettings(with.Settings)
}

// do changes the bucket's Local under the lock, and then does what has become
// due.
func (b *bucket) do(change func(now time.Time)) { b.publish(b.locked(change)) }

// locked is do without the hooks. What panics must not keep the lock: it would
// hold up every request of the bucket for ever.
func (b *bucket) locked(change func(now time.Time)) []news {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	change(now)
	return b.attend(now)
}

// acquire takes a token for w or queues it, and waits until it has left the
// queue. It returns neither ticket nor refusal if ctx ended first.
func (b *bucket) acquire(ctx context.Context, w *waiter) (*Ticket, *Refusal) {
	parked, all := b.arrive(w)
	b.publish(all)
	if !parked {
		return w.ticket, w.refusal
	}
	select {
	case <-w.done:
	case <-ctx.Done():
		left := false
		b.do(func(now time.Time) { left = b.local.Leave(now, &w.Request) })
		if left {
			return nil, nil
		}
		<-w.done // it was served in this very moment
	}
	b.standAfter(w)
	return w.ticket, w.refusal
}

// arrive takes a token for w or queues it, and does what has become due: w is
// parked if it waits, or was served by that.
func (b *bucket) arrive(w *waiter) (parked bool, all []news) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	if b.leaves {
		w.Refused(&Refusal{Reason: ReasonStore, View: b.local.View(now, w.Caller)})
	} else {
		b.local.Arrive(now, &w.Request)
	}
	w.parked = w.ticket == nil && w.refusal == nil
	parked = w.parked
	all = b.attend(now)
	b.stand(now, w)
	return parked, all
}

// stand notes how the bucket stands once w has its ticket; b.mu is held.
func (b *bucket) stand(now time.Time, w *waiter) {
	if w.ticket != nil {
		w.left = b.local.standing(now, w.Caller)
	}
}

// standAfter is for who was served later, and has the time to take the lock once
// more.
func (b *bucket) standAfter(w *waiter) {
	if w.left != (standing{}) {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stand(b.now(), w)
}

// attend carries the asks that are due and sets the timer; b.mu is held.
func (b *bucket) attend(now time.Time) []news {
	if b.stopped {
		return nil
	}
	var all []news
	next := b.local.Wake()
	for range maxPrompt {
		if next.IsZero() || next.After(now) {
			break
		}
		ask, due := b.local.Ask(now)
		if !due {
			break
		}
		if b.told == 0 { // else it is the last ask again
			b.told, b.fresh = b.fresh, 0
		}
		if b.memory == nil {
			b.depart(ask)
		} else {
			all = append(all, b.took(now, now, ask, b.memory.acquire(b.key, ask)))
		}
		next = b.local.Wake()
	}
	b.arm(now, next)
	if b.leaves && b.local.Idle() {
		b.gone()
	}
	return all
}

// arm sets the timer to when something is due next. One that is set for earlier
// stays: it finds nothing to do and sets itself again, which is cheaper than to
// move it with every request.
func (b *bucket) arm(now, next time.Time) {
	if next.IsZero() || !b.wake.IsZero() && !next.Before(b.wake) {
		return
	}
	b.wake = next
	sleep := max(next.Sub(now), minSleep)
	if b.timer == nil {
		b.timer = time.AfterFunc(sleep, func() { steady.Try(b.tick, b.tickPanicked) })
		return
	}
	b.timer.Reset(sleep)
}

// tick does what is due.
func (b *bucket) tick() {
	b.do(func(now time.Time) {
		b.wake = time.Time{}
		b.local.Tick(now)
	})
	if b.unused.Load() {
		b.limiter.sweep(b)
	}
}

// panicked tells of a panic outside of requests.
func (b *bucket) panicked(value any, stack []byte) {
	b.limiter.options.Hooks.panicked(b.name(), value, stack)
}

// tickPanicked has the next tick come all the same: what waits has nothing else
// to wake it.
func (b *bucket) tickPanicked(value any, stack []byte) {
	b.panicked(value, stack)
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.stopped {
		b.wake = b.now().Add(panicPause)
		b.timer.Reset(panicPause)
	}
}

func (b *bucket) idle() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.local.Idle()
}

// leave gives back what the bucket holds; left is closed when that is done.
func (b *bucket) leave() {
	b.do(func(now time.Time) {
		if !b.leaves {
			b.leaves = true
			b.local.Leaving(now)
		}
	})
}

// gone tells that nothing is left to give back; b.mu is held.
func (b *bucket) gone() {
	select {
	case <-b.left:
	default:
		close(b.left)
	}
}

// stop ends the timer.
func (b *bucket) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopped = true
	if b.timer != nil {
		b.timer.Stop()
	}
}
