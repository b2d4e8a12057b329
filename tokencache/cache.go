package tokencache

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// Options are the settings of a [Cache]; the zero value works.
type Options struct {
	// Store shares tokens and failures with other replicas; nil = this
	// process is alone. The cache never waits for it longer than 50 ms and
	// goes on alone when it fails.
	Store Store

	// Replica names this process in what is shared; "" shows no name.
	Replica string

	// Dir is a directory that survives restarts: refusals of credentials are
	// kept there (no secret, no name), so that restarts do not add up to a
	// locked account. "" = none; do without it only where there is a Store.
	Dir string

	// FetchTimeout bounds one token call, and the wait for another replica's;
	// 0 = 10 s. A caller waits twice as long at worst: where another replica
	// had the right to fetch and brought nothing.
	FetchTimeout time.Duration

	// ReplaceInterval is the least time between two replacements of one
	// credential's token after a 401, for the whole fleet; 0 = 30 s. Without
	// it, an endpoint that answers 401 to everything would spend a login per
	// request.
	ReplaceInterval time.Duration

	// Random gives numbers in [0,1) for jitter; nil = math/rand/v2.
	Random func() float64

	Hooks Hooks
}

func (o Options) withDefaults() Options {
	if o.FetchTimeout <= 0 {
		o.FetchTimeout = 10 * time.Second
	}
	if o.ReplaceInterval <= 0 {
		o.ReplaceInterval = 30 * time.Second
	}
	if o.Random == nil {
		o.Random = rand.Float64
	}
	return o
}

// Cache holds the tokens of this process. It is safe for concurrent use and
// starts nothing by itself: tokens are fetched when requests need them, and
// [Cache.Run] looks after what changes without requests.
type Cache struct {
	options Options
	fetches sync.WaitGroup

	mu      sync.Mutex
	entries map[StoreKey]*entry // by the settings in use; not all: see entry.rotate
	live    map[*entry]struct{}
	closed  bool
}

// New returns an empty cache.
func New(o Options) *Cache {
	return &Cache{options: o.withDefaults(), entries: make(map[StoreKey]*entry), live: make(map[*entry]struct{})}
}

// Use returns the credentials of one configuration. The state of a credential
// that another Set in use has with the same settings is shared; how it is used
// (RefreshAhead, Transport, Reread) follows the newest. Where only the secrets
// of the same account differ, the token in use serves until [Cache.Run] has
// another; secrets whose files have been followed to newer ones since stand for
// those. The Set must be released once its configuration serves no request any
// more.
//
// The error names the credential and what to change.
func (c *Cache) Use(credentials []Credential) (*Set, error) {
	set := &Set{cache: c, entries: make(map[ID]*entry, len(credentials))}
	credentials = slices.Clone(credentials)
	for i, cred := range credentials {
		cred = cred.withDefaults()
		if err := cred.check(); err != nil {
			return nil, err
		}
		if _, twice := set.entries[cred.id()]; twice {
			return nil, fmt.Errorf("credential %q is given twice", cred.id())
		}
		set.entries[cred.id()] = nil
		credentials[i] = cred
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cred := range credentials {
		set.entries[cred.id()] = c.shareLocked(cred)
	}
	return set, nil
}

func (c *Cache) shareLocked(cred Credential) *entry {
	k := cred.key()
	e := c.entries[k]
	if e == nil {
		e = c.followerLocked(cred, k)
	}
	if e == nil {
		e = newEntry(c, cred, k)
		e.succeed(c.live)
		c.entries[k], c.live[e] = e, struct{}{}
	}
	e.users++
	e.configure(cred)
	return e
}

// followerLocked returns the credential in use that was configured with the same
// secrets and has followed their files since; nil = there is none.
func (c *Cache) followerLocked(cred Credential, k StoreKey) *entry {
	if cred.Reread == nil {
		return nil
	}
	for e := range c.live {
		e.mu.Lock()
		follows := e.cred.Reread != nil && e.cred.key() == k
		e.mu.Unlock()
		if follows {
			return e
		}
	}
	return nil
}

func (c *Cache) release(e *entry) {
	c.mu.Lock()
	e.users--
	last := e.users == 0
	if last {
		delete(c.live, e)
		if c.entries[e.key] == e {
			delete(c.entries, e.key)
		}
	}
	c.mu.Unlock()
	if last {
		e.retire()
	}
}

// Close cancels the fetches under way and returns when they have ended. After
// it, tokens are held but no more are fetched.
func (c *Cache) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	for _, e := range c.inUse() {
		e.retire()
	}
	c.fetches.Wait()
}

// inUse returns the credentials of all Sets.
func (c *Cache) inUse() []*entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Collect(maps.Keys(c.live))
}

// Set is the credentials of one configuration. It is safe for concurrent use.
type Set struct {
	cache   *Cache
	entries map[ID]*entry
	once    sync.Once
}

// Release gives the credentials back. What no other Set uses is dropped: its
// fetch is cancelled and its token forgotten. More calls do nothing.
func (s *Set) Release() {
	s.once.Do(func() {
		for _, e := range s.entries {
			s.cache.release(e)
		}
	})
}

// acquire returns a valid token of the credential. It returns at once unless
// one must be fetched first.
func (s *Set) acquire(ctx context.Context, id ID) (*entry, *token, *flight, error) {
	e := s.entries[id]
	if e == nil {
		return nil, nil, nil, &unknownError{id}
	}
	t, f, err := e.acquire(ctx)
	return e, t, f, err
}

// Obtain makes sure of a valid token as a request would: from memory, from the
// Store, or by one call of the endpoint, which counts among the attempts that
// the fleet may make.
func (s *Set) Obtain(ctx context.Context, id ID) error {
	_, _, _, err := s.acquire(ctx, id)
	return err
}

// unknownError means that authorize chose a credential that the configuration
// does not have in this environment: a defect, not a state.
type unknownError struct{ id ID }

func (e *unknownError) Error() string { return fmt.Sprintf("no credential %q", e.id) }
