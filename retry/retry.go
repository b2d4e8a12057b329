package retry

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"iqgateway/internal/exchange"
	"iqgateway/internal/pathpattern"
)

// Options are the settings of [New]; the zero value works.
type Options struct {
	// Now is the clock; nil = [time.Now]. Its monotonic reading is used.
	Now func() time.Time
	// Random gives numbers in [0,1) for jitter; nil = math/rand/v2.
	Random func() float64
	Hooks  Hooks
}

// Hooks are called as things happen; nil funcs are skipped. They must be safe
// for concurrent use and must not block.
type Hooks struct {
	// Repeated is called before the wait that precedes a repetition.
	Repeated func(RepeatInfo)
	// Stopped is called once for each request of which an attempt was, or might
	// have been, repeated: with what ended it.
	Stopped func(Key, Result)
}

// RepeatInfo describes one repetition; all of it is fit for metric labels.
type RepeatInfo struct {
	Key    Key
	Reason Reason
	Wait   time.Duration
}

// Key names an upstream.
type Key struct{ Environment, Service string }

// Upstream is one service of an environment as a configuration describes it.
type Upstream struct {
	Key Key
	// Origin is where its requests go. The budget of another origin begins anew.
	Origin   string
	Settings Settings
}

// Settings say what is repeated.
type Settings struct {
	// MaxAttempts of one request in total, those of the stages below included;
	// less than 2 = nothing is repeated here, and once there.
	MaxAttempts int
	// Budget is how many repetitions there may be per request, over the last ten
	// seconds and all requests to the upstream; 0.1 = one for ten requests. At
	// least one is allowed, but with 0 none at all. Danger: an upstream that
	// fails gets (1 + Budget) times its load.
	Budget float64
	// Statuses of answers that are repeated, if their request may be.
	Statuses []int
	// Replayable are writes that may be repeated although an earlier attempt may
	// have been executed. Danger: a rule that fits too much places orders twice.
	Replayable []ReplayableWrite
	// Mistake reports whether an answer with one of Statuses is about the
	// request itself, so that no repetition helps; nil = none is.
	Mistake func(t *exchange.Target, status int) bool
}

// ReplayableWrite is a write that can be done twice.
type ReplayableWrite struct {
	Path   pathpattern.Pattern // matched on the raw path: it grants
	Method string
}

// Budgets holds what outlives configurations: how much has been repeated
// lately, per upstream. It is safe for concurrent use and starts nothing.
type Budgets struct {
	options Options

	mu   sync.Mutex
	open map[place]*shared
}

// place is what a budget belongs to.
type place struct {
	key    Key
	origin string
}

// shared is a budget and how many sets use it.
type shared struct {
	budget
	place place
	users int
}

// New returns budgets of which nothing is spent.
func New(o Options) *Budgets {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Float64
	}
	return &Budgets{options: o, open: make(map[place]*shared)}
}

// Use returns the upstreams of one configuration. What was spent for one that
// another Set in use has too stays spent. The Set must be released once its
// configuration serves no request any more.
//
// The error names the upstream that is given twice.
func (b *Budgets) Use(upstreams []Upstream) (*Set, error) {
	set := &Set{budgets: b, upstreams: make(map[Key]*upstream, len(upstreams))}
	for _, u := range upstreams {
		if _, twice := set.upstreams[u.Key]; twice {
			return nil, fmt.Errorf("upstream %s/%s is given twice", u.Key.Environment, u.Key.Service)
		}
		u.Settings.Statuses = slices.Clone(u.Settings.Statuses)
		u.Settings.Replayable = slices.Clone(u.Settings.Replayable)
		set.upstreams[u.Key] = &upstream{key: u.Key, settings: u.Settings}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, u := range upstreams {
		set.upstreams[u.Key].shared = b.shareLocked(place{key: u.Key, origin: u.Origin})
	}
	return set, nil
}

func (b *Budgets) shareLocked(at place) *shared {
	s := b.open[at]
	if s == nil {
		s = &shared{place: at, budget: budget{start: b.options.Now()}}
		b.open[at] = s
	}
	s.users++
	return s
}

func (b *Budgets) release(s *shared) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.users--; s.users == 0 {
		delete(b.open, s.place)
	}
}

// Set is the upstreams of one configuration. It is safe for concurrent use.
type Set struct {
	budgets   *Budgets
	upstreams map[Key]*upstream
	once      sync.Once
}

// upstream is one of a Set.
type upstream struct {
	key      Key
	settings Settings
	shared   *shared
}

// Release gives the budgets back. More calls do nothing.
func (s *Set) Release() {
	s.once.Do(func() {
		for _, u := range s.upstreams {
			s.budgets.release(u.shared)
		}
	})
}
