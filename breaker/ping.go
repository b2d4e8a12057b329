package breaker

import (
	"context"
	"errors"
	"sync"
	"time"

	"iqgateway/internal/steady"
)

// pingPause is the time between two pings of the fleet: less than OpenFor, so
// that an upstream that is well again is found within it.
func pingPause(p *policy) time.Duration { return p.openFor * 8 / 10 }

// startPings pings the upstreams whose time has come, and returns when that of
// the next one comes; zero = none will.
func (bs *Breakers) startPings(ctx context.Context, running *sync.WaitGroup) (next time.Time) {
	now := time.Now()
	for _, b := range bs.all() {
		ping, due := b.pingDue(now)
		if ping != nil {
			running.Go(func() { b.pingOnce(ctx, ping) })
		}
		next = sooner(due, next)
	}
	return next
}

// sooner returns the earlier of two times; zero is never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// pingDue returns the ping of a breaker that is ill, if it is time for it, or
// when it is.
func (b *breaker) pingDue(now time.Time) (due func(context.Context) error, next time.Time) {
	if b.ping == nil || b.fast.Load() != nil {
		return nil, time.Time{}
	}
	ping := b.ping.Load()
	if ping == nil {
		return nil, time.Time{}
	}
	b.mu.Lock()
	defer b.unlock()
	switch {
	case b.forced != nil || b.state == Closed || b.misled || b.pinging || len(b.probes) > 0:
		return nil, time.Time{} // the next poll looks again
	case now.Before(b.nextPing):
		return nil, b.nextPing
	}
	b.pinging = true
	return *ping, time.Time{}
}

// pingOnce asks the upstream, if no other replica does, and closes the breaker
// if it is well.
func (b *breaker) pingOnce(ctx context.Context, ping func(context.Context) error) {
	p := b.policy.Load()
	bounded, cancel := context.WithTimeout(ctx, max(p.openFor, time.Second))
	defer cancel()
	began, err := time.Now(), errPanicked
	told := b.owner.options.Hooks.panicked
	steady.Try(func() {
		if !b.owner.mayPing(bounded, b, pingPause(p)*9/10) {
			err = errOthersTurn
			return
		}
		err = ping(bounded)
	}, told)
	steady.Try(func() { b.pinged(p, began, err) }, told)
}

// pinged books a ping. One that failed changes nothing.
func (b *breaker) pinged(p *policy, began time.Time, err error) {
	now := time.Now()
	b.mu.Lock()
	defer b.unlock()
	b.pinging = false
	b.nextPing = later(now, began.Add(pingPause(p)))
	b.owner.tell() // Run is to reckon anew
	if err == nil && b.forced == nil && b.state != Closed {
		b.shut(now, ReasonPing, b.owner.options.Replica)
		b.report()
	}
}

var errOthersTurn = errors.New("another replica probes")

// mayPing asks for the fleet's turn, which is none of its probes: a ping goes out
// while the breaker is open. A store that does not answer is no reason not to.
func (bs *Breakers) mayPing(ctx context.Context, b *breaker, turn time.Duration) bool {
	if bs.options.Store == nil {
		return true
	}
	p := Probe{ID: bs.probeID(), Limit: 1, TTL: turn} // it is not given back: the turn is the pause
	granted, _, err := bs.options.Store.Claim(ctx, b.stateName+"#ping", p)
	bs.heard(ctx, err)
	return granted || err != nil
}
