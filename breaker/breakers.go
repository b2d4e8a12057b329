package breaker

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
)

// Options are the settings of [New].
type Options struct {
	// Store tells the fleet; nil = this process is alone.
	Store Store
	// Replica names this process in the store and to people.
	Replica string
	// Random gives numbers in [0,1) for jitter; nil = math/rand/v2.
	Random func() float64

	Hooks Hooks
}

// Breakers holds the state of every breaker. It is safe for concurrent use and
// starts nothing by itself, see [Breakers.Run].
type Breakers struct {
	options Options
	wake    chan struct{} // something is to be told
	away    atomic.Bool   // the store
	probes  atomic.Uint64 // so far: part of their IDs

	mu        sync.Mutex
	upstreams map[Key]*upstream
}

// New returns breakers for no upstream.
func New(o Options) *Breakers {
	if o.Random == nil {
		o.Random = rand.Float64
	}
	return &Breakers{options: o, wake: make(chan struct{}, 1), upstreams: make(map[Key]*upstream)}
}

// Use returns the breakers of one configuration. The state of an upstream that
// another Set in use has too is shared, unless its origin is another; its
// settings follow the newest. The Set must be released once its configuration
// serves no request any more.
//
// The error names the upstream that is given twice.
func (bs *Breakers) Use(list []Upstream) (*Set, error) {
	set := &Set{breakers: bs, upstreams: make(map[target]*upstream, len(list))}
	for _, u := range list {
		at := target{u.Key.Environment, u.Key.Service}
		if _, twice := set.upstreams[at]; twice {
			return nil, fmt.Errorf("upstream %s is given twice", u.Key)
		}
		set.upstreams[at] = nil
	}
	bs.mu.Lock()
	defer bs.mu.Unlock()
	for _, u := range list {
		set.upstreams[target{u.Key.Environment, u.Key.Service}] = bs.shareLocked(u)
	}
	return set, nil
}

func (bs *Breakers) shareLocked(u Upstream) *upstream {
	shared := bs.upstreams[u.Key]
	if shared != nil && shared.origin == u.Origin {
		shared.configure(u)
		shared.users++
		return shared
	}
	// The one of another origin serves out its generation, unseen.
	fresh := newUpstream(bs, u)
	if shared != nil {
		fresh.main.inherit(shared.main)
	}
	fresh.users++
	bs.upstreams[u.Key] = fresh
	return fresh
}

func (bs *Breakers) release(u *upstream) {
	bs.mu.Lock()
	defer bs.mu.Unlock()
	u.users--
	if u.users == 0 && bs.upstreams[u.key] == u {
		delete(bs.upstreams, u.key)
	}
}

// all returns every breaker.
func (bs *Breakers) all() []*breaker {
	bs.mu.Lock()
	defer bs.mu.Unlock()
	list := make([]*breaker, 0, len(bs.upstreams))
	for _, u := range bs.upstreams {
		list = append(list, u.main)
		for _, t := range *u.throttles.Load() {
			list = append(list, t)
		}
	}
	return list
}

func (bs *Breakers) find(k Key) *breaker {
	for _, b := range bs.all() {
		if b.key == k {
			return b
		}
	}
	return nil
}

// probeID is unique in the fleet: the replica's name is.
func (bs *Breakers) probeID() string {
	return fmt.Sprintf("%s.%d", bs.options.Replica, bs.probes.Add(1))
}

// tell wakes Run, without waiting.
func (bs *Breakers) tell() {
	select {
	case bs.wake <- struct{}{}:
	default:
	}
}

// Set is the breakers of one configuration. It is safe for concurrent use.
type Set struct {
	breakers  *Breakers
	upstreams map[target]*upstream
	once      sync.Once
}

// target is what a request tells of its upstream.
type target struct{ environment, service string }

// Release gives the breakers back. More calls do nothing.
func (s *Set) Release() {
	s.once.Do(func() {
		for _, u := range s.upstreams {
			s.breakers.release(u)
		}
	})
}
