package breaker

import (
	"context"
	"maps"
	"sync/atomic"
)

// upstream is the state of one environment's service.
type upstream struct {
	owner  *Breakers
	key    Key
	origin string
	users  int // Sets; guarded by owner.mu

	settings  atomic.Pointer[Settings]
	ping      atomic.Pointer[func(context.Context) error] // nil = none
	main      *breaker
	throttles atomic.Pointer[map[string]*breaker] // by bucket; never changed in place
}

func newUpstream(owner *Breakers, u Upstream) *upstream {
	n := &upstream{owner: owner, key: u.Key, origin: u.Origin}
	n.main = newBreaker(owner, u.Key, u.Origin)
	n.throttles.Store(new(map[string]*breaker))
	n.main.ping = &n.ping
	n.configure(u)
	return n
}

// configure takes settings over. What was counted stays, but for a window of
// another length.
func (u *upstream) configure(n Upstream) {
	s := n.Settings.withDefaults()
	u.settings.Store(&s)
	if n.Ping != nil {
		u.ping.Store(&n.Ping)
	} else {
		u.ping.Store(nil)
	}
	u.main.configure(s.failures())
	for _, t := range *u.throttles.Load() {
		t.configure(s.throttle())
	}
}

// throttle returns the breaker of a bucket. Buckets come from the
// configuration, so that there are few.
func (u *upstream) throttle(bucket string) *breaker {
	if t := (*u.throttles.Load())[bucket]; t != nil {
		return t
	}
	u.owner.mu.Lock()
	defer u.owner.mu.Unlock()
	old := *u.throttles.Load()
	if t := old[bucket]; t != nil {
		return t
	}
	key := u.key
	key.Bucket = bucket
	t := newBreaker(u.owner, key, u.origin)
	t.configure(u.settings.Load().throttle())
	all := maps.Clone(old)
	if all == nil {
		all = make(map[string]*breaker)
	}
	all[bucket] = t
	u.throttles.Store(&all)
	return t
}
