package breaker

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"
)

// breaker is the state of one key. Its mutex comes before gobreaker's.
type breaker struct {
	owner *Breakers
	key   Key
	// stateName and forcedName are its names in the store. A forced state holds
	// whatever the origin is.
	stateName, forcedName string
	policy                atomic.Pointer[policy]
	ping                  *atomic.Pointer[func(context.Context) error] // nil = never

	// fast is the life of a breaker that is closed and lets everything pass; nil
	// in every other state, which needs the mutex.
	fast atomic.Pointer[life]

	mu     sync.Mutex
	state  State // Open also after until: the next request makes it HalfOpen
	life   *life
	since  time.Time
	until  time.Time // it is open; next request is a probe
	step   int       // doublings so far
	reason Reason
	by     string

	forced  *forced
	ordered time.Time // when it was forced, or that was ended
	ramp    ramp
	steady  float64 // requests a second before it opened

	probes   []*probe  // under way
	unproven int       // probes that were answered and proved nothing, in a row
	holdOff  time.Time // the fleet has no probe left until then
	returned []string  // claims that the store is to end

	nextPing time.Time
	pinging  bool
	misled   bool // a ping said that it is well when it was not

	last   lastFailures
	struck atomic.Bool // a failure is the last that was counted without a permit

	serial               int    // of changes here
	seen, seenForced     uint64 // versions of the store's records
	unsent, unsentForced bool   // the store has not heard of the state
	news                 []Transition
}

func newBreaker(owner *Breakers, key Key, origin string) *breaker {
	b := &breaker{owner: owner, key: key, state: Closed, since: time.Now()}
	b.forcedName = key.String()
	b.stateName = key.String() + "@" + origin
	return b
}

// configure takes a policy over.
func (b *breaker) configure(p policy) {
	old := b.policy.Swap(&p)
	b.mu.Lock()
	defer b.unlock()
	if b.life == nil || b.state == Closed && old.window != p.window {
		b.life = counting(&p, b.policy.Load, time.Now())
	}
	b.refresh()
}

// unlock releases the mutex and tells what has changed meanwhile.
func (b *breaker) unlock() {
	news := b.news
	b.news = nil
	b.mu.Unlock()
	for _, t := range news {
		b.owner.options.Hooks.transition(t)
	}
}

// refresh sets the fast path.
func (b *breaker) refresh() {
	if b.state == Closed && b.forced == nil && !b.ramp.on {
		b.fast.Store(b.life)
	} else {
		b.fast.Store(nil)
	}
}

// become changes the state. The store hears of it unless it told it.
func (b *breaker) become(to State, now time.Time, reason Reason, by string) {
	if b.forced == nil && b.state != to {
		b.news = append(b.news, Transition{Key: b.key, From: b.state, To: to, Reason: reason, By: by})
	}
	if to == Open && b.state == Closed {
		b.measure(now)
	}
	b.endProbes()
	b.state, b.since, b.reason, b.by = to, now, reason, by
	b.holdOff, b.unproven = time.Time{}, 0
	b.serial++
	b.ramp = ramp{}
	if to == Open {
		b.life = probing(b.policy.Load().probes, now) // now: gobreaker lets nothing pass in the instant in which it opens
	}
	b.refresh()
}

// open opens the breaker from now on; d is how long, less 10 to 20 %: so that
// upstreams do not fall into step, and that one which is well again is found
// within d although a request has yet to come and to be answered.
func (b *breaker) open(now, from time.Time, d time.Duration, reason Reason, by string) {
	b.become(Open, now, reason, by)
	d -= d/10 + time.Duration(b.owner.options.Random()*float64(d)/10)
	b.until = later(from.Add(d), now.Add(d/10))
	b.nextPing = now.Add(pingPause(b.policy.Load()))
}

// trip opens a breaker that was closed. One that a ping has closed for nothing
// goes on where it was, and asks by ping no more.
func (b *breaker) trip(now time.Time) {
	p := b.policy.Load()
	if b.closedForNothing(now) {
		b.misled = true
		b.step++
	} else {
		b.step, b.misled = 0, false
	}
	b.open(now, now, p.openTime(b.step), p.reason, b.owner.options.Replica)
	b.report()
}

// closedForNothing reports whether a ping has closed what is to open again.
func (b *breaker) closedForNothing(now time.Time) bool {
	return b.state == Closed && b.reason == ReasonPing && now.Sub(b.since) < b.policy.Load().openForMax
}

// again opens a breaker after a probe that failed; reached says that the
// upstream had to deal with it.
func (b *breaker) again(now, began time.Time, reached bool) {
	p := b.policy.Load()
	if reached {
		b.step++
		b.open(now, now, p.openTime(b.step), ReasonProbe, b.owner.options.Replica)
	} else {
		b.open(now, began, p.openFor, ReasonProbe, b.owner.options.Replica)
	}
	b.report()
}

// shut closes the breaker.
func (b *breaker) shut(now time.Time, reason Reason, by string) {
	b.become(Closed, now, reason, by)
	p := b.policy.Load()
	b.until = time.Time{}
	if reason != ReasonPing {
		b.step, b.misled = 0, false
	}
	b.life = counting(p, b.policy.Load, now)
	if p.ramp && reason != ReasonReset { // an operator knows
		b.ramp = newRamp(now, b.steady)
	}
	b.refresh()
}

// report makes Run tell the store.
func (b *breaker) report() {
	b.unsent = b.owner.options.Store != nil
	b.owner.tell()
}

// measure remembers how many requests a second there were.
func (b *breaker) measure(now time.Time) {
	p := b.policy.Load()
	over := now.Sub(b.life.since)
	if p.window > 0 {
		over = min(over, p.window)
	}
	rate := float64(b.life.requests()) / max(over, time.Second/10).Seconds()
	if over < time.Second { // too short to believe that it is less than before
		rate = max(rate, b.steady)
	}
	b.steady = rate
}

// settle follows what gobreaker has decided.
func (b *breaker) settle(now time.Time) {
	if b.state == Closed && b.life.is(gobreaker.StateOpen) {
		b.trip(now)
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
