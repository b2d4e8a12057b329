package breaker

import (
	"context"
	"errors"
	"sync"
	"time"
)

// startPings pings the upstreams whose time has come.
func (bs *Breakers) startPings(ctx context.Context, running *sync.WaitGroup) {
	for _, b := range bs.all() {
		if ping := b.pingDue(time.Now()); ping != nil {
			running.Go(func() { b.pingOnce(ctx, ping) })
		}
	}
}

// pingDue returns the ping of a breaker that is ill, if it is time for it.
func (b *breaker) pingDue(now time.Time) func(context.Context) error {
	if b.ping == nil {
		return nil
	}
	ping := b.ping.Load()
	if ping == nil || b.fast.Load() != nil {
		return nil
	}
	b.mu.Lock()
	defer b.unlock()
	if b.forced != nil || b.state == Closed || b.pinging || len(b.probes) > 0 || now.Before(b.nextPing) {
		return nil
	}
	b.pinging = true
	return *ping
}

// pingOnce asks the upstream, if no other replica does, and closes the breaker
// if it is well. A ping that fails changes nothing.
func (b *breaker) pingOnce(ctx context.Context, ping func(context.Context) error) {
	p := b.policy.Load()
	bounded, cancel := context.WithTimeout(ctx, max(p.openFor, time.Second))
	defer cancel()
	began := time.Now()
	err := errOthersTurn
	if b.owner.mayPing(bounded, b, p.openFor-pollEvery/2) {
		if b.owner.guard(func() { err = ping(bounded) }) {
			err = errPanicked
		}
	}
	now := time.Now()
	b.mu.Lock()
	defer b.unlock()
	b.pinging = false
	b.nextPing = later(now, began.Add(p.openFor-pollEvery/2))
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
	p := Probe{ID: bs.probeID(), Limit: 1, TTL: max(turn, pollEvery/2)} // it is not given back: the turn is the pause
	granted, _, err := bs.options.Store.Claim(ctx, b.stateName+"#ping", p)
	bs.heard(ctx, err)
	return granted || err != nil
}
