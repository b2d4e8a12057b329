package callerlimit

import (
	"context"
	"sync"
	"time"
)

// caller is one caller on this replica, for as long as a configuration names it.
type caller struct {
	name  string
	owner *Limits
	users int           // guarded by the owner's lock
	kick  chan struct{} // holds one: the next trip is urgent

	mu    sync.Mutex
	local *local
}

// take decides one request.
func (c *caller) take() (Reason, time.Duration) {
	now := c.owner.options.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	reason, wait := c.local.take(now)
	if c.owner.options.Store == nil {
		return reason, wait
	}
	switch {
	case !c.local.awake && c.local.stirs():
		c.wakeLocked()
	case c.local.awake && !c.local.underway:
		if at, rest := c.local.next(now); !rest && at.Before(c.local.planned) {
			c.hurry()
		}
	}
	return reason, wait
}

func (c *caller) free() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.local.free()
	if c.local.awake && c.local.owesSlots() {
		c.hurry()
	}
}

func (c *caller) hurry() {
	select {
	case c.kick <- struct{}{}:
	default:
	}
}

// isAwake reports whether the store knows of what the replica holds.
func (c *caller) isAwake() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.local.awake
}

// configure changes the limit at once.
func (c *caller) configure(limit Limit) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.local.configure(limit)
	c.hurry()
}

// wakeLocked begins the trips of a caller that becomes active; c.mu is held.
func (c *caller) wakeLocked() {
	if !c.owner.start(c) {
		return
	}
	c.local.awake = true
}

// live makes trips until the caller rests.
func (c *caller) live() {
	defer c.owner.rested(c)
	ctx := c.owner.ctx
	for ctx.Err() == nil {
		c.trip(context.WithoutCancel(ctx), (*local).ask) // cut, it would lose what the store grants
		if !c.pause(ctx) {
			return
		}
	}
}

// trip makes one.
func (c *caller) trip(ctx context.Context, begin func(*local, time.Time) Ask) {
	o := &c.owner.options
	c.mu.Lock()
	sent := o.Now()
	ask := begin(c.local, sent)
	c.mu.Unlock()
	ask.Replica = o.Replica
	bounded, cancel := context.WithTimeout(ctx, o.StoreTimeout)
	defer cancel()
	answer, err := o.Store.Ask(bounded, c.name, ask)
	c.mu.Lock()
	failedBefore := c.local.failed
	if err == nil {
		c.local.answered(answer)
	} else {
		c.local.unanswered()
	}
	c.mu.Unlock()
	if ctx.Err() != nil {
		return // an end that was short of time says nothing about the store
	}
	o.Hooks.asked(c.name, o.Now().Sub(sent), err)
	if failedBefore != (err != nil) {
		o.Hooks.storeState(c.name, err)
	}
}

// pause returns when the next trip is due; false = the caller rests.
func (c *caller) pause(ctx context.Context) bool {
	for {
		c.mu.Lock()
		now := c.owner.options.Now()
		at, rest := c.local.next(now)
		c.local.planned = at
		if rest {
			c.local.awake = false
			c.mu.Unlock()
			return false
		}
		c.mu.Unlock()
		if !now.Before(at) {
			return true
		}
		timer := time.NewTimer(at.Sub(now))
		select {
		case <-timer.C:
		case <-c.kick: // it may be due earlier now
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return false
		}
	}
}

// panicked ends a trip that did; the next request begins anew.
func (c *caller) panicked(value any, stack []byte) {
	c.mu.Lock()
	c.local.unanswered()
	c.local.awake = false
	c.mu.Unlock()
	c.owner.options.Hooks.panicked(c.name, value, stack)
}

// leave gives back what the replica holds.
func (c *caller) leave(ctx context.Context) {
	if !c.isAwake() {
		return
	}
	c.trip(ctx, (*local).leave)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.local.awake = false
}

func (c *caller) state(now time.Time) CallerState {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.local
	l.refresh(now)
	return CallerState{
		Caller: c.name, Limit: l.limit, InFlight: l.inFlight, Slots: l.allowance(now), Tokens: int(l.have), Shared: !l.away(now),
	}
}
