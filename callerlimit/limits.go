package callerlimit

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"iqgateway/internal/steady"
)

// Options are the settings of [New].
type Options struct {
	// Store is what the fleet holds in common; nil = this process is alone, and
	// makes no trips. Danger: two processes without one admit everything each.
	Store Store

	// Replica names this process in the store; new for each start. Required with
	// a Store.
	Replica string

	// Fleet returns how many replicas were alive last; nil = 1. It must not
	// block: every request asks it.
	Fleet func() int

	// StoreTimeout bounds one trip, on top of the store's own bound; 0 = 1 s. No
	// request waits for one.
	StoreTimeout time.Duration

	// Now is the clock; nil = [time.Now]. Its monotonic reading is used.
	Now func() time.Time

	// Random gives numbers in [0,1) for the jitter of Retry-After; nil =
	// math/rand/v2.
	Random func() float64

	Hooks Hooks
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Float64
	}
	if o.StoreTimeout <= 0 {
		o.StoreTimeout = time.Second
	}
	switch {
	case o.Store == nil:
		o.Fleet = nil
	case o.Fleet == nil:
		o.Fleet = func() int { return 1 }
	}
	return o
}

// Limits holds this replica's side of every caller's limit, across generations.
// It is safe for concurrent use. It starts nothing by itself: trips begin with a
// caller's first request, and end when it rests.
type Limits struct {
	options Options
	ctx     context.Context //nolint:containedctx // that of the trips, which no request owns
	cancel  context.CancelFunc

	mu      sync.Mutex
	callers map[string]*caller

	trips  sync.WaitGroup
	ending sync.Mutex
	ended  bool // guarded by ending
}

// New returns a set without callers.
func New(o Options) *Limits {
	ctx, cancel := context.WithCancel(context.Background())
	return &Limits{options: o.withDefaults(), ctx: ctx, cancel: cancel, callers: make(map[string]*caller)}
}

// Use returns the callers of one generation that have a limit. What is counted
// of a caller that another Set in use has too is shared, and so is its limit:
// that of the Set which was applied last. The Set must be released once its
// generation serves no request any more.
func (l *Limits) Use(limits map[string]Limit) *Set {
	set := &Set{owner: l, limits: limits, callers: make(map[string]*caller, len(limits))}
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, limit := range limits {
		c := l.callers[name]
		if c == nil {
			c = &caller{name: name, owner: l, kick: make(chan struct{}, 1), local: newLocal(limit.WithDefaults(), l.options.Fleet)}
			l.callers[name] = c
		}
		c.users++
		set.callers[name] = c
	}
	return set
}

func (l *Limits) release(callers map[string]*caller) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, c := range callers {
		if c.users--; c.users == 0 && !c.isAwake() {
			delete(l.callers, name)
		}
	}
}

// rested forgets a caller that was released while the store knew of what it
// holds, once that is given back.
func (l *Limits) rested(c *caller) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.users == 0 && l.ctx.Err() == nil && l.callers[c.name] == c {
		delete(l.callers, c.name)
	}
}

// start has a caller make trips, but not after the end.
func (l *Limits) start(c *caller) bool {
	l.ending.Lock()
	defer l.ending.Unlock()
	if l.ended {
		return false
	}
	l.trips.Go(func() { steady.Try(c.live, c.panicked) })
	return true
}

// Close ends the trips, and gives back what is held until ctx ends. Requests are
// decided on, by what is held here.
func (l *Limits) Close(ctx context.Context) error {
	l.ending.Lock()
	l.ended = true
	l.ending.Unlock()
	l.cancel()
	l.trips.Wait()
	var all sync.WaitGroup
	for _, c := range l.all(0) {
		all.Go(func() { steady.Try(func() { c.leave(ctx) }, c.panicked) })
	}
	all.Wait()
	return context.Cause(ctx)
}

// all returns the callers that so many Sets use at least, by name.
func (l *Limits) all(users int) []*caller {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]*caller, 0, len(l.callers))
	for _, c := range l.callers {
		if c.users >= users {
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b *caller) int { return cmp.Compare(a.name, b.name) })
	return list
}

// CallerState is one caller on this replica at a moment.
type CallerState struct {
	Caller string
	Limit  Limit // with its defaults

	InFlight int
	// Slots and Tokens are what this replica may use of concurrency and burst
	// right now, without asking anybody.
	Slots, Tokens int
	// Shared is false while this replica goes by its own part, as the store is
	// away, or there is none.
	Shared bool
}

// State returns the callers that have a limit, by name.
func (l *Limits) State() []CallerState {
	var list []CallerState
	for _, c := range l.all(1) {
		list = append(list, c.state(l.options.Now()))
	}
	return list
}

// Set is the callers of one generation. It is safe for concurrent use.
type Set struct {
	owner   *Limits
	limits  map[string]Limit
	callers map[string]*caller
	once    sync.Once
}

// State returns one caller of the Set, and false for one without a limit.
func (s *Set) State(caller string) (CallerState, bool) {
	c := s.callers[caller]
	if c == nil {
		return CallerState{}, false
	}
	return c.state(s.owner.options.Now()), true
}

// Apply has the callers go by the limits of the Set from now on.
func (s *Set) Apply() {
	for name, c := range s.callers {
		c.configure(s.limits[name].WithDefaults())
	}
}

// Release gives the callers back. More calls do nothing.
func (s *Set) Release() {
	s.once.Do(func() { s.owner.release(s.callers) })
}
