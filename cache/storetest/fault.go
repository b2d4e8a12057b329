package storetest

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"iqgateway/cache"
)

// Fault is what a test does to a store. The zero value is a store that works;
// all methods are safe for concurrent use.
type Fault struct {
	away, full atomic.Bool
	slow       atomic.Int64
	calls      atomic.Int64
}

// Away makes every call fail at once.
func (f *Fault) Away(is bool) { f.away.Store(is) }

// Full makes the store refuse what writes. A [Log] that is full cannot be read
// either, as its contract says.
func (f *Fault) Full(is bool) { f.full.Store(is) }

// Slow makes every call take so long, or until its context ends. What the call
// asked for has then been done all the same, as with a server whose answer is
// lost.
func (f *Fault) Slow(by time.Duration) { f.slow.Store(int64(by)) }

// Calls returns how many calls there were.
func (f *Fault) Calls() int { return int(f.calls.Load()) }

// begin is what every call starts with.
func (f *Fault) begin(ctx context.Context, writes bool) error {
	f.calls.Add(1)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w", cache.ErrAway, context.Cause(ctx))
	case f.away.Load():
		return cache.ErrAway
	case writes && f.full.Load():
		return fmt.Errorf("%w: full", cache.ErrAway)
	}
	return nil
}

// end is what every call that did its work ends with.
func (f *Fault) end(ctx context.Context) error {
	by := time.Duration(f.slow.Load())
	if by <= 0 {
		return nil
	}
	timer := time.NewTimer(by)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", cache.ErrAway, context.Cause(ctx))
	}
}
