package cache

import (
	"cmp"
	"context"
	"sync"
	"time"

	"iqgateway/internal/steady"
)

// Bounds of what a process does for callers that do not wait for it.
const (
	defaultFetch    = 2 * time.Minute
	maxRefreshes    = 64 // in the background, at once
	maxGhosts       = 100000
	maxRemembered   = 10000 // keys of which something is remembered
	alonePerKey     = 8     // requests for one key that are not answered together
	notSharedFor    = 10 * time.Second
	restAfterFailed = 5 * time.Second
)

// Options configure a [Cache].
type Options struct {
	// Memory bounds what is stored in this process, in bytes; 0 = 256 MiB.
	Memory int64
	// Separate asks the upstream for each request by itself, also for equal ones
	// that run at the same time.
	Separate bool
	// Tier is what replicas share; nil = each has its own answers only.
	Tier Tier
	// Log carries invalidations to the fleet; nil = this process is alone.
	Log Log
	// Hidden reports fields, by canonical name, that no caller may see: hits come
	// without them. nil = none, beyond those that are never stored.
	Hidden func(name string) bool
	// Now is the clock; nil = time.Now.
	Now func() time.Time
	// Hooks report what happens; zero = silent.
	Hooks Hooks
}

// Cache is the state of the cache: stored answers, fetches under way and what
// has been invalidated. It outlives generations. It is safe for concurrent use.
type Cache struct {
	o         Options
	memory    *memory
	index     *index
	feed      *feed
	stats     *stats
	ghosts    *ghost
	flights   flights
	alone     crowds
	notShared memo // keys whose answers cannot be shared
	failing   memo // keys whose upstream has just failed
	refreshes chan struct{}
	fresh     sync.Map // Key+selected of what is being refreshed

	ctx    context.Context //nolint:containedctx // of fetches that belong to no request; ends with Close
	cancel context.CancelFunc
	work   sync.WaitGroup
}

// New returns an empty cache. It starts nothing: see [Cache.Run].
func New(o Options) *Cache {
	o.Memory = cmp.Or(o.Memory, 256<<20)
	if o.Now == nil {
		o.Now = time.Now
	}
	c := &Cache{
		o: o, index: newIndex(), stats: newStats(), ghosts: newGhost(maxGhosts),
		notShared: newMemo(maxRemembered), failing: newMemo(maxRemembered),
		refreshes: make(chan struct{}, maxRefreshes),
	}
	c.memory = newMemory(o.Memory, func(bytes int64) {
		c.stats.evicted(bytes)
		o.Hooks.evicted(bytes)
	})
	c.memory.hidden = o.Hidden
	c.feed = newFeed(feedOptions{Index: c.index, Log: o.Log, OnError: o.Hooks.logFailed, Panicked: c.panicked})
	c.flights.all = map[flightKey]*flight{}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// tidyEvery is how often expired answers are let go.
const tidyEvery = time.Second

// Run follows the fleet's log and lets go of what has expired, until ctx ends.
// Without it nothing is heard of other replicas.
func (c *Cache) Run(ctx context.Context) {
	var all sync.WaitGroup
	all.Go(func() { steady.Try(func() { _ = c.feed.Run(ctx) }, c.panicked) })
	all.Go(func() { steady.Keep(ctx, c.tidy, c.panicked) })
	all.Wait()
}

func (c *Cache) tidy(ctx context.Context) {
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			c.memory.tidy()
		case <-ctx.Done():
			return
		}
	}
}

// panicked tells of a panic that belongs to no service.
func (c *Cache) panicked(value any, stack []byte) { c.o.Hooks.panicked(ServiceName{}, value, stack) }

// Close ends fetches that nobody waits for and returns when all have ended.
// Requests must have ended before.
func (c *Cache) Close() {
	c.cancel()
	c.work.Wait()
}

// SetMemory changes the bound of what is stored in this process, in bytes.
func (c *Cache) SetMemory(bytes int64) { c.memory.setMaximum(bytes) }

// Stats returns what was counted since the process began.
func (c *Cache) Stats() Stats { return c.stats.Snapshot(c.memory) }

// Heard is when the fleet's log was last heard of: what was written by then
// through any replica is known here. Alone it is now.
func (c *Cache) Heard() time.Time { return c.feed.heard() }

// Purge drops what the events name, here at once and on all replicas by the
// log. told is false while the log is away: others learn of it once it is back,
// and until then use no copy for longer than five seconds.
func (c *Cache) Purge(ctx context.Context, events ...Event) (told bool) {
	for i := range events {
		c.o.Hooks.invalidated(events[i].Kind, 1)
	}
	return c.feed.publish(ctx, events)
}

// Apply drops here what another replica was told to purge, without waiting for
// the log.
func (c *Cache) Apply(events ...Event) { c.index.apply(events, false) }

func (c *Cache) now() time.Time { return c.o.Now() }

// contactless is how long a copy of what can be written is used after the log
// was last heard of.
const contactless = 5 * time.Second

// usable reports whether a stored answer may be looked at: it was not dropped,
// and a write elsewhere would have been heard of.
func (c *Cache) usable(s *Service, o *Object, now time.Time) bool {
	if o == nil || c.index.dropped(o) {
		return false
	}
	if !s.Writable || c.o.Log == nil {
		return true
	}
	since := o.Received
	if heard := c.feed.heard(); heard.After(since) {
		since = heard
	}
	return now.Sub(since) <= contactless
}
