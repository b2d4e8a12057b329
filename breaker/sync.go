package breaker

import (
	"context"
	"fmt"
	"sync"
	"time"

	"iqgateway/internal/steady"
)

const (
	// pollEvery is how often the fleet's word is asked for, less some jitter.
	pollEvery = 500 * time.Millisecond
	// tripWait bounds a trip to the store outside of requests.
	tripWait = time.Second
)

// Run tells the store what happens here, follows what it tells of others, and
// pings upstreams that are ill. It returns when ctx has ended and its pings
// have, too.
func (bs *Breakers) Run(ctx context.Context) {
	var pings sync.WaitGroup
	defer pings.Wait()
	poll := time.Now()
	for ctx.Err() == nil {
		steady.Try(func() { bs.flush(ctx) }, bs.options.Hooks.panicked)
		if now := time.Now(); !now.Before(poll) {
			steady.Try(func() { _ = bs.poll(ctx) }, bs.options.Hooks.panicked)
			poll = now.Add(pollEvery - time.Duration(bs.options.Random()*float64(pollEvery)/10))
		}
		bs.rest(ctx, sooner(poll, bs.startPings(ctx, &pings)))
	}
}

// rest waits until there is something to tell or the time has come.
func (bs *Breakers) rest(ctx context.Context, until time.Time) {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-bs.wake:
	case <-timer.C:
	}
}

// Sync follows at once what other replicas have told the store, as
// [Breakers.Run] does twice a second. Its error is that of the store: what an
// operator ordered elsewhere may not hold here yet. Without a store nobody else
// orders anything.
func (bs *Breakers) Sync(ctx context.Context) error {
	bs.flush(ctx) // an order of our own that is older than the other one must not hide it
	return bs.poll(ctx)
}

// poll asks for the fleet's word on every breaker, and renews the claims of
// probes under way.
func (bs *Breakers) poll(ctx context.Context) error {
	all := bs.all()
	if bs.options.Store == nil || len(all) == 0 {
		return nil
	}
	names := make([]string, 0, 2*len(all))
	for _, b := range all {
		names = append(names, b.stateName, b.forcedName)
	}
	bounded, cancel := context.WithTimeout(ctx, tripWait)
	defer cancel()
	before := time.Now()
	records, err := bs.options.Store.Load(bounded, names)
	bs.heard(ctx, err)
	if err != nil {
		return fmt.Errorf("ask the store for the state of breakers: %w", err)
	}
	for _, b := range all {
		b.follow(before, records[b.stateName], records[b.forcedName])
	}
	for _, b := range all {
		for _, id := range b.running() {
			if _, _, err := bs.options.Store.Claim(bounded, b.stateName, b.claimOf(id)); err != nil {
				return nil // what was ordered holds; a claim that is not renewed ends
			}
		}
	}
	return nil
}

// heard notes whether the store answers.
func (bs *Breakers) heard(ctx context.Context, err error) {
	if err != nil && ctx.Err() != nil {
		return // ours to blame
	}
	if away := err != nil; bs.away.Swap(away) != away {
		bs.options.Hooks.storeState(err)
	}
}

// claim asks the store for a probe, for as long as a request may wait.
func (bs *Breakers) claim(ctx context.Context, b *breaker, id string) (granted bool, r Record, err error) {
	bounded, cancel := context.WithTimeout(ctx, claimWait)
	defer cancel()
	claim := func() { granted, r, err = bs.options.Store.Claim(bounded, b.stateName, b.claimOf(id)) }
	if steady.Try(claim, bs.options.Hooks.panicked) {
		err = errPanicked
	}
	bs.heard(ctx, err)
	return granted, r, err
}

// flush tells the store what it has not heard yet.
func (bs *Breakers) flush(ctx context.Context) {
	if bs.options.Store == nil {
		return
	}
	for _, b := range bs.all() {
		for _, n := range b.untold() {
			bounded, cancel := context.WithTimeout(ctx, tripWait)
			before := time.Now()
			r, err := bs.options.Store.Apply(bounded, n.name, n.change)
			cancel()
			bs.heard(ctx, err)
			b.told(n, before, r, err)
			if err != nil {
				return // it is away: the rest has time
			}
		}
	}
}

// Close gives the claims of this replica's probes back to the fleet, so that
// others need not wait for their end. Its error is that of the store.
func (bs *Breakers) Close(ctx context.Context) error {
	if bs.options.Store == nil {
		return nil
	}
	for _, b := range bs.all() {
		for _, id := range b.surrender() {
			if _, err := bs.options.Store.Apply(ctx, b.stateName, Change{Probe: id}); err != nil {
				return fmt.Errorf("give probes back: %w", err)
			}
		}
	}
	return nil
}
