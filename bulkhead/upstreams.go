package bulkhead

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Key names the upstream whose requests are counted together. All of it comes
// from the configuration and is fit for metric labels.
type Key struct{ Environment, Service string }

// String returns environment/service.
func (k Key) String() string { return k.Environment + "/" + k.Service }

// Upstream is one upstream as a configuration describes it.
type Upstream struct {
	Key Key
	// Origin is where requests go, scheme://host. Another origin is another
	// machine: it gets slots of its own, and the old one keeps its own until
	// the last request to it has ended.
	Origin string
	// MaxInFlight bounds the requests that are under way at once, on this
	// replica; 0 = no bound. As many more may wait.
	MaxInFlight int
}

// UpstreamsOptions are the settings of [NewUpstreams].
type UpstreamsOptions struct {
	// Now is the clock; nil = [time.Now]. Its monotonic reading is used.
	Now   func() time.Time
	Hooks UpstreamHooks
}

// Upstreams holds the slots of every upstream across generations. It is safe for
// concurrent use and starts nothing.
type Upstreams struct {
	options UpstreamsOptions

	mu   sync.Mutex
	pots map[place]*slots
	uses int64
}

// place is a Key at one origin.
type place struct {
	key    Key
	origin string
}

// NewUpstreams returns a set without upstreams.
func NewUpstreams(o UpstreamsOptions) *Upstreams {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Upstreams{options: o, pots: make(map[place]*slots)}
}

// Use returns the upstreams of one generation. Slots of an upstream that another
// Set in use has too are shared; their number follows the newest. The Set must
// be released once its generation serves no request any more.
//
// The error names the upstream that is given twice.
func (u *Upstreams) Use(upstreams []Upstream) (*Set, error) {
	set := &Set{owner: u, slots: make(map[Key]*slots, len(upstreams))}
	for _, up := range upstreams {
		if _, twice := set.slots[up.Key]; twice {
			return nil, fmt.Errorf("upstream %s is given twice", up.Key)
		}
		set.slots[up.Key] = nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.uses++
	for _, up := range upstreams {
		at := place{up.Key, up.Origin}
		s := u.pots[at]
		if s == nil {
			s = &slots{}
			u.pots[at] = s
		}
		s.users++
		s.use = u.uses
		s.resize(up.MaxInFlight)
		set.slots[up.Key], set.places = s, append(set.places, at)
	}
	return set, nil
}

// release drops the slots that no Set uses. Requests under way end in them.
func (u *Upstreams) release(places []place) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, at := range places {
		s := u.pots[at]
		if s.users--; s.users == 0 {
			delete(u.pots, at)
		}
	}
}

// UpstreamState is one upstream at a moment.
type UpstreamState struct {
	Key         Key
	MaxInFlight int // 0 = no bound
	InFlight    int
	Waiting     int
}

// List returns the upstreams of all generations in use, sorted; those of an
// upstream that has moved are added up, and their bound is that of the newest.
func (u *Upstreams) List() []UpstreamState {
	u.mu.Lock()
	defer u.mu.Unlock()
	byKey := make(map[Key]UpstreamState, len(u.pots))
	newest := make(map[Key]int64, len(u.pots))
	for at, s := range u.pots {
		state := byKey[at.key]
		state.Key = at.key
		s.addTo(&state, s.use > newest[at.key])
		newest[at.key] = max(newest[at.key], s.use)
		byKey[at.key] = state
	}
	list := make([]UpstreamState, 0, len(byKey))
	for _, state := range byKey {
		list = append(list, state)
	}
	slices.SortFunc(list, func(a, b UpstreamState) int {
		return cmp.Or(cmp.Compare(a.Key.Environment, b.Key.Environment), cmp.Compare(a.Key.Service, b.Key.Service))
	})
	return list
}

// Set is the upstreams of one generation. It is safe for concurrent use.
type Set struct {
	owner  *Upstreams
	slots  map[Key]*slots
	places []place
	once   sync.Once
}

// Release gives the upstreams back. More calls do nothing.
func (s *Set) Release() {
	s.once.Do(func() { s.owner.release(s.places) })
}
