package breaker

import (
	"errors"
	"time"
)

var errPanicked = errors.New("the store panicked")

// note is one change that the store is to hear of.
type note struct {
	name   string
	change Change
	forced bool
	serial int // of the state that it tells
}

// untold returns what the store has not heard yet.
func (b *breaker) untold() []note {
	now := time.Now()
	b.mu.Lock()
	defer b.unlock()
	var all []note
	if b.unsent {
		c := Change{State: Closed, Reason: b.reason, By: b.by}
		if b.state != Closed {
			c.State, c.For, c.Step = Open, max(0, b.until.Sub(now)), b.step
		}
		all = append(all, note{b.stateName, c, false, b.serial})
	}
	if b.unsentForced {
		c := Change{State: Lifted, Reason: ReasonReset, By: b.by}
		if f := b.forced; f != nil {
			c = Change{State: f.state, For: f.until.Sub(now), Reason: ReasonForced, By: f.by, Why: f.why}
		}
		c.Age = now.Sub(b.ordered)
		all = append(all, note{b.forcedName, c, true, b.serial})
	}
	for _, id := range b.returned {
		all = append(all, note{name: b.stateName, change: Change{Probe: id}})
	}
	return all
}

// told notes that the store has heard of n, and follows its answer.
func (b *breaker) told(n note, before time.Time, r Record, err error) {
	b.mu.Lock()
	defer b.unlock()
	switch {
	case n.change.Probe != "": // sent once: what is lost ends by itself
		if len(b.returned) > 0 && b.returned[0] == n.change.Probe {
			b.returned = b.returned[1:]
		}
	case err != nil || n.serial != b.serial: // again, with what holds then
	case n.forced:
		b.unsentForced = false
		if r.Version != 0 {
			b.followForced(time.Now(), r) // another, if that was given later
		}
	default:
		b.unsent = false
		if n.change.State == Closed { // the record is our own word
			b.seen = max(b.seen, r.Version)
		}
		b.adopt(before, r)
	}
}

// follow takes over what the fleet knows.
func (b *breaker) follow(before time.Time, state, forced Record) {
	b.mu.Lock()
	defer b.unlock()
	now := time.Now()
	b.expire(now)
	b.settle(now)
	b.followForced(now, forced)
	if !b.unsent {
		b.adopt(before, state)
	}
}

func (b *breaker) followForced(now time.Time, r Record) {
	switch {
	case b.unsentForced:
	case r.Version == 0 && b.forced != nil: // the store has lost it
		b.unsentForced = true
		b.owner.tell()
	case r.Version <= b.seenForced:
	case r.State == Lifted && b.forced != nil:
		b.lift(now, ReasonReset, r.By)
	case r.Left > 0 && (r.State == Open || r.State == Closed):
		f := forced{state: r.State, by: r.By, why: r.Why, since: now.Add(-r.Age), until: now.Add(min(r.Left, forceMost))}
		if b.forced == nil || b.forced.state != f.state || b.forced.by != f.by || b.forced.why != f.why {
			b.force(f)
		}
		b.forced, b.ordered = &f, f.since
	}
	b.seenForced = max(b.seenForced, r.Version)
}

// adopt follows a record that is newer than what is known here. What it says of
// times is bounded by our own settings: whoever can write to the store must not
// be able to take a service away for longer than its failures could.
func (b *breaker) adopt(before time.Time, r Record) {
	if r.Version <= b.seen {
		return
	}
	b.seen = r.Version
	p := b.policy.Load()
	switch {
	case r.State == Closed && (b.state != Closed || r.Reason == ReasonReset):
		b.shut(time.Now(), r.Reason, r.By)
	case r.State == Open && r.By != b.owner.options.Replica && (r.Left > 0 || b.state == Closed):
		b.misled = b.misled || b.closedForNothing(time.Now())
		b.become(Open, time.Now(), r.Reason, r.By)
		b.until = before.Add(min(r.Left, p.openForMax))
		b.step = max(0, min(r.Step, 62))
		b.nextPing = time.Now().Add(pingPause(p))
	}
}

// running are the probes under way that the store knows of.
func (b *breaker) running() []string {
	b.mu.Lock()
	defer b.unlock()
	var ids []string
	for _, p := range b.probes {
		if p.claimed {
			ids = append(ids, p.id)
		}
	}
	return ids
}

// surrender returns the claims of running and those that were to end anyway;
// they are not renewed any more.
func (b *breaker) surrender() []string {
	b.mu.Lock()
	defer b.unlock()
	ids := b.returned
	b.returned = nil
	for _, p := range b.probes {
		if p.claimed {
			p.claimed = false
			ids = append(ids, p.id)
		}
	}
	return ids
}

func (b *breaker) claimOf(id string) Probe {
	return Probe{ID: id, Limit: b.policy.Load().probes, TTL: claimLife}
}
