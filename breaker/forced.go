package breaker

import "time"

// forced is a state that an operator has set.
type forced struct {
	state   State // Open or Closed
	by, why string
	since   time.Time
	until   time.Time
}

// expire ends a forced state whose time is over. What comes then is counted
// anew.
func (b *breaker) expire(now time.Time) {
	if b.forced != nil && !now.Before(b.forced.until) {
		b.lift(now, ReasonTime, b.forced.by)
	}
}

// force sets a forced state.
func (b *breaker) force(f forced) {
	b.news = append(b.news, Transition{Key: b.key, From: b.shown(), To: f.state, Reason: ReasonForced, By: f.by})
	b.forced = &f
	b.serial++
	b.unpermit()
	b.refresh()
}

// lift ends a forced state. The breaker's own begins anew.
func (b *breaker) lift(now time.Time, reason Reason, by string) {
	was := b.forced.state
	b.forced = nil
	b.serial++
	b.unpermit()
	if b.state == Closed {
		b.life = counting(b.policy.Load(), b.policy.Load, now)
		b.since, b.reason, b.by = now, reason, by
	}
	b.news = append(b.news, Transition{Key: b.key, From: was, To: b.shown(), Reason: reason, By: by})
	b.refresh()
}

// unpermit forgets the probes under way.
func (b *breaker) unpermit() {
	b.endProbes()
	if b.state == HalfOpen {
		b.become(Open, b.since, b.reason, b.by)
		b.until = b.since
	}
}

// shown is the state that requests meet.
func (b *breaker) shown() State {
	if b.forced != nil {
		return b.forced.state
	}
	return b.state
}

// inherit takes over what an operator has said of the breaker before this one.
func (b *breaker) inherit(old *breaker) {
	old.mu.Lock()
	f, seen := old.forced, old.seenForced
	old.unlock()
	if f == nil {
		return
	}
	b.mu.Lock()
	defer b.unlock()
	b.forced, b.seenForced = f, seen
	b.refresh()
}
