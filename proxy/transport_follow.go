package proxy

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"iqgateway/internal/steady"
)

const (
	// lookEvery is how often the names of upstreams in use are looked up again.
	lookEvery = 5 * time.Second
	// looksToMiss is at how many looks in a row a name must not have an address to
	// have lost it: as many as show a change within 30 s.
	looksToMiss = 5
	// lookTimeout bounds one look.
	lookTimeout = 4 * time.Second
	// looksAtOnce bounds questions under way: one dead resolver holds up no other.
	looksAtOnce = 16
)

// MoveReason says why requests to an upstream go out on new connections.
type MoveReason string

// The reasons to leave connections that work.
const (
	MovedAddress MoveReason = "address" // the name leads elsewhere now
	MovedTrust   MoveReason = "trust"   // other authorities, or another certificate of ours
)

// FollowOptions configure [Transports.Follow]; funcs that are nil are not called.
type FollowOptions struct {
	// Every is the time between two looks; default 5 s.
	Every time.Duration
	// Moved is told of each pool whose requests begin on new connections.
	Moved func(PoolKey, MoveReason)
	// Failed is told why a pool whose connections are wrong keeps them.
	Failed func(PoolKey, error)
	// Panicked is told of a panic, which ends one look at one name.
	Panicked steady.Panicked
}

// Follow keeps busy upstreams on the right connections until ctx ends. Without
// it a connection that is never idle serves for ever, whatever the DNS says by
// then. Names are looked up with the resolver of their pool, and only while a
// connection stands; with an egress proxy it is the proxy's name, which alone is
// resolved here. A name that cannot be looked up, or that leads to nothing but
// prohibited addresses, moves nothing.
func (t *Transports) Follow(ctx context.Context, o FollowOptions) {
	if o.Every <= 0 {
		o.Every = lookEvery
	}
	tick := time.NewTicker(o.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			t.look(ctx, o)
		}
	}
}

// question is one look: pools that ask the same have one answer.
type question struct{ resolver, host string }

// followed is a line to be looked after.
type followed struct {
	*line
	key PoolKey
}

func (t *Transports) look(ctx context.Context, o FollowOptions) {
	asked := map[question][]followed{}
	for f, settings := range t.lines() {
		f.tend()
		if f.isOutdated() && f.inUse() {
			f.move(MovedTrust, o)
		}
		d := f.current.Load().way.dialer
		if f.inUse() && d.hasName() {
			q := question{settings.Resolver, d.host}
			asked[q] = append(asked[q], f)
		}
	}
	var all sync.WaitGroup
	slots := make(chan struct{}, looksAtOnce)
	for _, lines := range asked {
		slots <- struct{}{}
		all.Go(func() {
			steady.Try(func() { compare(ctx, lines, o) }, o.Panicked)
			<-slots
		})
	}
	all.Wait()
}

// lines returns what is to be looked after, and the settings of its pool.
func (t *Transports) lines() map[followed]TransportSettings {
	t.mu.Lock()
	defer t.mu.Unlock()
	found := map[followed]TransportSettings{}
	for key, pools := range t.pools {
		for _, p := range pools {
			p.mu.RLock()
			for _, l := range p.byCredential {
				found[followed{l, key}] = p.settings
			}
			p.mu.RUnlock()
		}
	}
	return found
}

// compare looks up the one name of lines.
func compare(ctx context.Context, lines []followed, o FollowOptions) {
	answers := lines[0].current.Load().way.dialer.lookUp(ctx)
	if len(answers) == 0 {
		return
	}
	for _, f := range lines {
		if f.compare(answers) {
			f.move(MovedAddress, o)
		}
	}
}

func (f followed) move(why MoveReason, o FollowOptions) {
	err := f.renew()
	switch {
	case err != nil && o.Failed != nil:
		o.Failed(f.key, fmt.Errorf("new connections (%s): %w", why, err))
	case err == nil && o.Moved != nil:
		o.Moved(f.key, why)
	}
}

// hasName reports whether the destination's address is the DNS' to decide.
func (d *dialer) hasName() bool {
	_, err := netip.ParseAddr(d.host)
	return err != nil
}

// lookUp returns the addresses that a dial may now connect to; none if they
// cannot be found out.
func (d *dialer) lookUp(ctx context.Context) []netip.Addr {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	resolver := d.dialer.Resolver
	if resolver == nil {
		resolver = net.DefaultResolver
	}
	found, err := resolver.LookupNetIP(ctx, "ip", d.host)
	if err != nil {
		return nil
	}
	allowed := found[:0]
	for _, ip := range found {
		if ip = ip.Unmap().WithZone(""); checkAddress(ip, d.policy) == nil {
			allowed = append(allowed, ip)
		}
	}
	return allowed
}
