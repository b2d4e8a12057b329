package breaker

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// forceMost is how long a forced state may last: what nobody has looked after
// for a day is forgotten.
const forceMost = 24 * time.Hour

// ErrUnknown is returned for a key that no configuration in use has.
var ErrUnknown = errors.New("no such breaker")

// ErrHereOnly is wrapped by the error of an order that holds on this replica
// alone, because the store did not answer; the others follow once it does.
var ErrHereOnly = errors.New("it holds on this replica only, until the store answers")

// Force makes a breaker Open or Closed for a time, whatever requests find out,
// on every replica. An open one refuses everything; a closed one lets everything
// pass and counts nothing. By whom and why is shown; it is no place for secrets.
//
// The error is [ErrUnknown], one about the arguments, or wraps [ErrHereOnly].
func (bs *Breakers) Force(ctx context.Context, k Key, o Forced) error {
	if o.State != Open && o.State != Closed {
		return fmt.Errorf("a breaker is forced %s or %s, not %q", Open, Closed, o.State)
	}
	if o.For <= 0 || o.For > forceMost {
		return fmt.Errorf("a breaker is forced for at most %s, not %s", forceMost, o.For)
	}
	b := bs.find(k)
	if b == nil {
		return fmt.Errorf("%s: %w", k, ErrUnknown)
	}
	now := time.Now()
	b.mu.Lock()
	b.force(forced{state: o.State, by: o.By, why: o.Why, since: now, until: now.Add(o.For)})
	b.unsentForced, b.ordered = bs.options.Store != nil, now
	b.unlock()
	return b.send(ctx)
}

// Forced is a state that an operator sets.
type Forced struct {
	State State         // Open or Closed
	For   time.Duration // at most 24 h
	By    string        // who; shown to everybody
	Why   string        // shown to everybody
}

// Reset closes a breaker on every replica, forgets what was counted and ends a
// forced state. The errors are those of [Breakers.Force].
func (bs *Breakers) Reset(ctx context.Context, k Key, by string) error {
	b := bs.find(k)
	if b == nil {
		return fmt.Errorf("%s: %w", k, ErrUnknown)
	}
	now := time.Now()
	b.mu.Lock()
	if b.forced != nil {
		b.lift(now, ReasonReset, by)
	}
	b.shut(now, ReasonReset, by)
	b.unsent, b.unsentForced, b.ordered = bs.options.Store != nil, bs.options.Store != nil, now
	b.unlock()
	return b.send(ctx)
}

// send tells the store at once.
func (b *breaker) send(ctx context.Context) error {
	var failed error
	for _, n := range b.untold() {
		before := time.Now()
		r, err := b.owner.options.Store.Apply(ctx, n.name, n.change)
		b.told(n, before, r, err)
		if err != nil {
			failed = fmt.Errorf("%s: %w: %w", b.key, ErrHereOnly, err)
		}
	}
	return failed
}
