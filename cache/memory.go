package cache

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
)

const (
	// maxVariants is how many answers a key may have; the least recently used
	// one goes first.
	maxVariants = 16
	// largestPart of the memory is what one answer may take.
	largestPart = 8
	// keepToConfirm is how much longer an answer is kept that an upstream may
	// confirm with 304.
	keepToConfirm = time.Hour
)

// memory is the store of one process: bounded in bytes, and what is rarely
// asked for goes first (W-TinyLFU). What it returns is shared: a hit copies
// nothing, allocates nothing, and waits for nobody.
type memory struct {
	store    *otter.Cache[Key, *resource]
	onEvict  func(bytes int64)
	hidden   func(name string) bool // nil = nothing is
	maximum  atomic.Int64
	used     atomic.Int64
	services sync.Map // ServiceName -> *atomic.Int64, bytes
}

// resource is all answers under a key. It is replaced as a whole.
type resource struct {
	variants []*variant
	clock    *atomic.Uint64 // counts uses, of all its versions
	weight   int64
	until    time.Time // when none of it is of use any more
	service  *atomic.Int64
}

type variant struct {
	*Object
	weight int64
	used   atomic.Uint64 // by the resource's clock
}

// newMemory starts nothing. maxBytes <= 0 stores nothing. onEvict (nil =
// silent) is told of what went for want of room; it must be quick and must not
// call the memory.
func newMemory(maxBytes int64, onEvict func(bytes int64)) *memory {
	m := &memory{onEvict: onEvict}
	m.maximum.Store(max(maxBytes, 0))
	m.store = otter.Must(&otter.Options[Key, *resource]{
		MaximumWeight:    uint64(max(maxBytes, 1)),
		Weigher:          func(_ Key, r *resource) uint32 { return uint32(min(r.weight, math.MaxUint32)) },
		ExpiryCalculator: untilUseless{},
		OnAtomicDeletion: m.gone,
		Clock:            steadyClock{time.Now()},
		Logger:           &otter.NoopLogger{},
	})
	return m
}

// get returns the answer to a request, fresh or not, dropped or not; nil = none.
func (m *memory) get(key Key, selected string) *Object {
	r, ok := m.store.GetIfPresent(key)
	if !ok {
		return nil
	}
	for _, v := range r.variants {
		if v.Selected == selected {
			r.touch(v)
			return v.Object
		}
	}
	return nil
}

// touch makes v the last one to go. Where there is no choice it writes nothing.
func (r *resource) touch(v *variant) {
	if len(r.variants) > 1 && v.used.Load() != r.clock.Load() {
		v.used.Store(r.clock.Add(1))
	}
}

// variants returns all answers under a key, the newest first.
func (m *memory) variants(key Key) []*Object {
	r, ok := m.store.GetIfPresent(key)
	if !ok {
		return nil
	}
	objects := make([]*Object, len(r.variants))
	for i, v := range r.variants {
		objects[i] = v.Object
	}
	return objects
}

// put stores o in place of the answer to the same request. The memory keeps a
// shallow copy without the hidden fields: o may be shared already, and stays as
// it is. False = it is too big, of no use any more, or older than what is there.
func (m *memory) put(o *Object) bool {
	now, mine := time.Now(), *o
	if m.hidden != nil {
		mine.Header = fieldsBut(o.Header, m.hidden)
	}
	weight := weigh(&mine)
	maximum := m.maximum.Load()
	if weight > maximum/largestPart || !usefulUntil(o).After(now) {
		return false
	}
	mine.checked = &checkedMark{owner: &mine}
	added, stored := &variant{Object: &mine, weight: weight}, true
	service := m.service(o.Route.Service)
	m.store.Compute(o.Key, func(old *resource, found bool) (*resource, otter.ComputeOp) {
		if !found {
			old = &resource{clock: &atomic.Uint64{}}
		}
		if old.outdoes(o) {
			stored = false
			return old, otter.CancelOp
		}
		r := old.with(added, maximum/2, now)
		r.service = service
		m.used.Add(r.weight)
		service.Add(r.weight)
		return r, otter.WriteOp
	})
	if m.used.Load() > maximum+maximum/32 {
		m.store.CleanUp() // those who evict in the background do not keep pace
	}
	return stored
}

// with returns a resource that has v too, in at most so many bytes.
func (r *resource) with(v *variant, room int64, now time.Time) *resource {
	variants := make([]*variant, 1, len(r.variants)+1)
	variants[0] = v
	for _, other := range r.variants {
		if other.Selected != v.Selected && usefulUntil(other.Object).After(now) {
			variants = append(variants, other)
		}
	}
	v.used.Store(r.clock.Add(1))
	next := &resource{clock: r.clock, variants: slices.Clone(variants)} // its real size
	next.weigh()
	for len(next.variants) > 1 && (len(next.variants) > maxVariants || next.weight > room) {
		next.dropOldest()
		next.weigh()
	}
	return next
}

func (r *resource) weigh() {
	r.weight, r.until = resourceOverhead+allocated(8*len(r.variants)), time.Time{}
	for _, v := range r.variants {
		r.weight += v.weight
		if until := usefulUntil(v.Object); until.After(r.until) {
			r.until = until
		}
	}
}

// dropOldest removes the least recently used variant but the first, which is
// the one that is being added.
func (r *resource) dropOldest() {
	oldest := 1
	for i := 2; i < len(r.variants); i++ {
		if r.variants[i].used.Load() < r.variants[oldest].used.Load() {
			oldest = i
		}
	}
	r.variants = slices.Delete(r.variants, oldest, oldest+1)
}

// gone keeps the accounts: every resource that leaves the store, replaced ones
// too, comes by here.
func (m *memory) gone(e otter.DeletionEvent[Key, *resource]) {
	m.used.Add(-e.Value.weight)
	e.Value.service.Add(-e.Value.weight)
	if e.Cause == otter.CauseOverflow && m.onEvict != nil {
		m.onEvict(e.Value.weight)
	}
}

// tidy lets go of what is of no use any more. Without it that happens when
// something is stored; it is to be called every second or so.
func (m *memory) tidy() { m.store.CleanUp() }

// bytes is what the memory takes, bookkeeping included.
func (m *memory) bytes() int64 { return m.used.Load() }

// bytesOf returns what one service has of them.
func (m *memory) bytesOf(name ServiceName) int64 {
	if v, ok := m.services.Load(name); ok {
		return v.(*atomic.Int64).Load()
	}
	return 0
}

func (m *memory) service(name ServiceName) *atomic.Int64 {
	v, ok := m.services.Load(name)
	if !ok {
		v, _ = m.services.LoadOrStore(name, &atomic.Int64{})
	}
	return v.(*atomic.Int64)
}

// len returns how many keys there are, roughly.
func (m *memory) len() int { return m.store.EstimatedSize() }

// setMaximum changes the bound; what is too much goes before it returns.
func (m *memory) setMaximum(maxBytes int64) {
	m.maximum.Store(max(maxBytes, 0))
	m.store.SetMaximum(uint64(max(maxBytes, 1)))
	m.store.CleanUp()
}

// usefulUntil is when an object can be of no use any more: neither fresh nor
// stale, nor confirmed by the upstream.
func usefulUntil(o *Object) time.Time {
	useful := o.Lifetime - o.Age + max(o.WhileRevalidate, o.IfError, 0)
	if o.Header.Get("Etag") != "" || o.Header.Get("Last-Modified") != "" {
		useful += keepToConfirm
	}
	return o.Received.Add(useful)
}

// untilUseless is when the store lets go of a resource by itself.
type untilUseless struct{}

// ExpireAfterCreate implements otter.ExpiryCalculator.
func (untilUseless) ExpireAfterCreate(e otter.Entry[Key, *resource]) time.Duration {
	return max(time.Until(e.Value.until), 1)
}

// ExpireAfterUpdate implements otter.ExpiryCalculator.
func (u untilUseless) ExpireAfterUpdate(e otter.Entry[Key, *resource], _ *resource) time.Duration {
	return u.ExpireAfterCreate(e)
}

// ExpireAfterRead implements otter.ExpiryCalculator: reading changes nothing.
func (untilUseless) ExpireAfterRead(e otter.Entry[Key, *resource]) time.Duration {
	return e.ExpiresAfter()
}

// steadyClock is monotonic: when the wall clock is set, the store is not to be
// empty. It does not tick: a clock that does would need a goroutine and someone
// to stop it.
type steadyClock struct{ began time.Time }

// NowNano implements otter.Clock.
func (c steadyClock) NowNano() int64 { return c.began.UnixNano() + int64(time.Since(c.began)) }

// Tick implements otter.Clock.
func (steadyClock) Tick(time.Duration) <-chan time.Time { return nil }
