package auth

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"iqgateway/internal/steady"
)

// KeySource says where the public keys of an issuer are. Its value is the key by
// which a key set outlives generations.
type KeySource struct {
	Issuer    string // names it in metrics and logs
	URL       string
	RootsFile string // PEM, for the URL's certificate; "" = the system's
	TokenFile string // with a bearer token for the URL; "" = none
}

// KeySetHooks are called as things happen; nil funcs are skipped. They must be
// safe for concurrent use.
type KeySetHooks struct {
	// Fetched is called after each fetch.
	Fetched func(KeySetFetch)
	// Panicked is called for a panic in the background, which begins anew.
	Panicked steady.Panicked
}

// KeySetFetch is one fetch of a key set.
type KeySetFetch struct {
	Issuer  string
	Keys    int // that can be used
	Dropped int // that are of no use here: weak, for encryption, of unknown kinds
	Changed bool
	Err     error // why there is nothing new; nil = there is
}

// KeySetStatus is what is known of an issuer's keys.
type KeySetStatus struct {
	Issuer  string
	Keys    int
	Fetched time.Time // zero = never
	Err     error     // of the last fetch
	Fetches int64     // that gave keys, since the start
	Failed  int64     // that did not
}

// KeySets keeps the public keys of issuers, over all generations. [KeySets.Run]
// fetches them; nothing is fetched before.
type KeySets struct {
	hooks KeySetHooks

	mu      sync.Mutex
	sets    map[KeySource]*keySet
	changed chan struct{} // holds one if sets has changed
}

// NewKeySets returns key sets of no issuer.
func NewKeySets(hooks KeySetHooks) *KeySets {
	return &KeySets{hooks: hooks, sets: map[KeySource]*keySet{}, changed: make(chan struct{}, 1)}
}

// Use takes the key sets of a generation's issuers. Their RootsFile must be there,
// and hold what it should; TokenFile is read with each fetch, whose error tells.
func (k *KeySets) Use(issuers []Issuer) (*Issuers, error) {
	for _, i := range issuers {
		if _, err := i.Keys.roots(); err != nil {
			return nil, fmt.Errorf("issuer %s: %w", i.Name, err)
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	used := &Issuers{from: k, all: issuers, sets: map[string]*keySet{}}
	for _, i := range issuers {
		if used.sets[i.Name] != nil {
			continue
		}
		set := k.sets[i.Keys]
		if set == nil {
			set = newKeySet(i.Keys.Issuer, fetcher(i.Keys), k.hooks)
			k.sets[i.Keys] = set
		}
		set.users++
		used.sets[i.Name] = set
	}
	k.tell()
	return used, nil
}

func (k *KeySets) release(used *Issuers) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, set := range used.sets {
		set.users--
	}
	used.sets = nil
	for source, set := range k.sets {
		if set.users == 0 {
			delete(k.sets, source)
		}
	}
	k.tell()
}

// tell has Run look at the sets again.
func (k *KeySets) tell() {
	select {
	case k.changed <- struct{}{}:
	default: // it will anyway
	}
}

// Run fetches the key sets in use until ctx ends.
func (k *KeySets) Run(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	running := map[*keySet]context.CancelFunc{}
	for {
		wanted := k.wanted()
		for set, stop := range running {
			if !slices.Contains(wanted, set) {
				stop()
				delete(running, set)
			}
		}
		for _, set := range wanted {
			if running[set] != nil {
				continue
			}
			loop, stop := context.WithCancel(ctx)
			running[set] = stop
			all.Go(func() { steady.Keep(loop, set.run, k.hooks.Panicked) })
		}
		select {
		case <-k.changed:
		case <-ctx.Done():
			return
		}
	}
}

func (k *KeySets) wanted() []*keySet {
	k.mu.Lock()
	defer k.mu.Unlock()
	all := make([]*keySet, 0, len(k.sets))
	for _, set := range k.sets {
		all = append(all, set)
	}
	return all
}

// Status returns what is known of each issuer's keys, sorted by issuer.
func (k *KeySets) Status() []KeySetStatus {
	all := make([]KeySetStatus, 0, 4)
	for _, set := range k.wanted() {
		all = append(all, set.status())
	}
	slices.SortFunc(all, func(a, b KeySetStatus) int { return cmp.Compare(a.Issuer, b.Issuer) })
	return all
}

// Issuer vouches for callers by JWT.
type Issuer struct {
	Name     string // the iss claim, exactly
	Audience string // stands in the aud claim
	Keys     KeySource
}

// Issuers are those of one generation, with their keys.
type Issuers struct {
	from *KeySets
	all  []Issuer
	sets map[string]*keySet // by issuer
}

// Release gives the key sets back. The issuers may not be used afterwards.
func (i *Issuers) Release() { i.from.release(i) }
