package limiter

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// Options are the settings of a [Limiter].
type Options struct {
	// Store is what the fleet holds in common; nil = a [Memory], for a process
	// that is alone. Danger: two processes with a Memory each take the whole
	// quota each.
	Store Store

	// Replica names this process in the store: random, and new for each start,
	// because what an earlier start has told is not this one's to change.
	// Required.
	Replica string

	// Fleet returns how many replicas were alive last; nil = 1. It is asked
	// while the store is away.
	Fleet func() int

	// StoreTimeout bounds one trip to the store, on top of the store's own
	// bound; 0 = 250 ms. While a trip hangs, requests without a lease wait.
	StoreTimeout time.Duration

	// Now is the clock; nil = [time.Now]. Its monotonic reading is used.
	Now func() time.Time

	// Random gives numbers in [0,1) for jitter; nil = math/rand/v2.
	Random func() float64

	Hooks Hooks
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Store == nil {
		o.Store = NewMemory(MemoryOptions{Now: o.Now})
	}
	if o.StoreTimeout <= 0 {
		o.StoreTimeout = 250 * time.Millisecond
	}
	if o.Random == nil {
		o.Random = rand.Float64
	}
	return o
}

// Limiter holds this process's side of every bucket. It is safe for concurrent
// use and starts nothing by itself: a bucket's trips and timers begin with its
// first request, and end when nothing of it waits, is under way or is held.
type Limiter struct {
	options Options
	ctx     context.Context //nolint:containedctx // that of the trips, which no single request owns
	cancel  context.CancelFunc
	trips   sync.WaitGroup

	mu      sync.Mutex
	buckets map[Key]*bucket
	opened  int // buckets so far: part of their names in the store
	closed  bool
}

// New returns a limiter without buckets.
func New(o Options) *Limiter {
	ctx, cancel := context.WithCancel(context.Background())
	return &Limiter{options: o.withDefaults(), ctx: ctx, cancel: cancel, buckets: make(map[Key]*bucket)}
}

// Bucket is one upstream quota as a configuration describes it.
type Bucket struct {
	Key Key
	// Of tells buckets of the same environment, service and policy apart for
	// people, such as by the credential's name; "" where there is only one. It
	// is shown: never a client id.
	Of       string
	Settings Settings
	// Callers are the names that [Limiter.List] looks for in a store that hides
	// names: those that may use the bucket.
	Callers []string
}

// Name is how people and metrics see a bucket; all of it comes from the
// configuration and is fit to be shown.
type Name struct {
	Environment, Service, Policy string
	Of                           string // "" but where several share the rest
}

// String returns environment/service/policy, and /of where there is one.
func (n Name) String() string {
	text := n.Environment + "/" + n.Service + "/" + n.Policy
	if n.Of != "" {
		text += "/" + n.Of
	}
	return text
}

func (b Bucket) name() Name {
	return Name{Environment: b.Key.Environment, Service: b.Key.Service, Policy: b.Key.Policy, Of: b.Of}
}

// Use returns the buckets of one configuration. What this process knows and
// holds of a bucket that another Set in use has too is shared; its settings
// follow the newest. The Set must be released once its configuration serves no
// request any more.
//
// The error names the bucket that is given twice.
func (l *Limiter) Use(buckets []Bucket) (*Set, error) {
	set := &Set{limiter: l, buckets: make(map[Key]*bucket, len(buckets))}
	for _, b := range buckets {
		if _, twice := set.buckets[b.Key]; twice {
			return nil, fmt.Errorf("bucket %s is given twice: give buckets of different clients different keys", b.name())
		}
		set.buckets[b.Key] = nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, errors.New("the limiter is closed")
	}
	for _, b := range buckets {
		set.buckets[b.Key] = l.shareLocked(b)
	}
	return set, nil
}

func (l *Limiter) shareLocked(b Bucket) *bucket {
	shared := l.buckets[b.Key]
	if shared == nil {
		l.opened++
		shared = newBucket(l, b, fmt.Sprintf("%s.%d", l.options.Replica, l.opened))
		l.buckets[b.Key] = shared
	} else {
		shared.configure(b)
	}
	shared.users++
	shared.unused.Store(false)
	return shared
}

// release drops a bucket that no Set uses once it is idle: requests under way
// still end in it, and a Set that comes meanwhile finds it as it is.
func (l *Limiter) release(b *bucket) {
	l.mu.Lock()
	b.users--
	b.unused.Store(b.users == 0)
	l.mu.Unlock()
	l.sweep(b)
}

// sweep forgets b if it is unused and idle. Locks are always taken in this
// order: the limiter's, a bucket's, the memory's.
func (l *Limiter) sweep(b *bucket) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if b.users == 0 && l.buckets[b.key] == b && b.idle() {
		delete(l.buckets, b.key)
	}
}

// all returns the buckets that are known.
func (l *Limiter) all() []*bucket {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]*bucket, 0, len(l.buckets))
	for _, b := range l.buckets {
		list = append(list, b)
	}
	return list
}

// Close gives every lease back to the fleet and returns when the store has been
// told, or ctx ends; its error says for how many buckets that failed: their
// tokens are lost until their windows end. After it nothing is granted.
func (l *Limiter) Close(ctx context.Context) error {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	all := l.all()
	for _, b := range all {
		b.leave()
	}
	failed := 0
	for _, b := range all {
		select {
		case <-b.left:
		case <-ctx.Done():
			failed++
		}
	}
	for _, b := range all {
		b.stop()
	}
	l.cancel()
	l.trips.Wait()
	if failed > 0 {
		return fmt.Errorf("give quota leases back: %d of %d buckets could not tell the store: %w", failed, len(all), context.Cause(ctx))
	}
	return nil
}

// Set is the buckets of one configuration. It is safe for concurrent use.
type Set struct {
	limiter *Limiter
	buckets map[Key]*bucket
	once    sync.Once
	views   sync.Map // of shownOf to *atomic.Pointer[shownView]
}

// Release gives the buckets back. More calls do nothing.
func (s *Set) Release() {
	s.once.Do(func() {
		for _, b := range s.buckets {
			s.limiter.release(b)
		}
	})
}
