package auth

import (
	"context"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"iqgateway/internal/exchange"
)

const (
	// usesInterval is how often what was used is told to the fleet.
	usesInterval = 15 * time.Second
	// maxUses bounds the credentials whose last use is remembered.
	maxUses = 100_000
)

// CredentialID names one credential of a caller.
type CredentialID struct {
	Caller string
	Proof  string // [ProofKey], [ProofCertificate], [ProofJWT] or [ProofToken]
	ID     string // of the key; the name in the certificate; issuer and subject
}

// UseStore shares the last use of credentials. It must be safe for concurrent
// use.
type UseStore interface {
	// Merge notes uses; of two of one credential, the later stays.
	Merge(ctx context.Context, used map[CredentialID]time.Time) error
	// Last returns the last use of those of the credentials that were used.
	Last(ctx context.Context, of []CredentialID) (map[CredentialID]time.Time, error)
}

// UsesOptions configures [NewUses].
type UsesOptions struct {
	// Store shares uses with the fleet; nil = this process alone knows its own,
	// and forgets them when it ends.
	Store UseStore
	// Failed is told when the store could not be; the uses are told later. nil =
	// silent.
	Failed func(error)
}

// Uses knows when credentials were last used with success, to the second. It
// outlives configurations.
type Uses struct {
	options UsesOptions
	known   atomic.Pointer[map[CredentialID]*use] // is replaced, never changed
	mu      sync.Mutex                            // held to replace it
}

// use is when a credential was last used, in seconds since 1970.
type use struct{ last, told atomic.Int64 }

// NewUses returns uses of nothing. Run shares them.
func NewUses(o UsesOptions) *Uses { return &Uses{options: o} }

// Note remembers that c was proven at an instant. It takes no lock, and writes
// once a second at most. A nil Uses does nothing.
func (u *Uses) Note(c *exchange.Caller, at time.Time) {
	if u == nil {
		return
	}
	one := u.find(CredentialID{c.Name, c.Proof, c.KeyID})
	if one == nil {
		return
	}
	second := at.Unix()
	for {
		last := one.last.Load()
		if last >= second || one.last.CompareAndSwap(last, second) {
			return
		}
	}
}

// find returns the use of a credential, nil when too many are known.
func (u *Uses) find(id CredentialID) *use {
	if known := u.known.Load(); known != nil {
		if one := (*known)[id]; one != nil {
			return one
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	next := map[CredentialID]*use{}
	if known := u.known.Load(); known != nil {
		if one := (*known)[id]; one != nil || len(*known) >= maxUses {
			return one
		}
		next = maps.Clone(*known)
	}
	one := &use{}
	next[id] = one
	u.known.Store(&next)
	return one
}

// Last returns when credentials were last used, as far as this replica and the
// fleet know; those that never were are missing. An error is the store's: what
// this replica knows comes with it.
func (u *Uses) Last(ctx context.Context, of []CredentialID) (map[CredentialID]time.Time, error) {
	last := map[CredentialID]time.Time{}
	var err error
	if u.options.Store != nil && len(of) > 0 {
		if last, err = u.options.Store.Last(ctx, of); last == nil {
			last = map[CredentialID]time.Time{}
		}
	}
	known := u.known.Load()
	if known == nil {
		return last, err
	}
	for _, id := range of {
		if one := (*known)[id]; one != nil {
			if at := time.Unix(one.last.Load(), 0); at.After(last[id]) {
				last[id] = at
			}
		}
	}
	return last, err
}

// Run tells the fleet of uses until ctx ends, and then of the rest.
func (u *Uses) Run(ctx context.Context) {
	if u.options.Store == nil {
		return
	}
	tick := time.NewTicker(usesInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			u.tell(context.WithoutCancel(ctx)) // each call of a store is bounded
			return
		case <-tick.C:
			u.tell(ctx)
		}
	}
}

// tell merges what has changed since it was told last.
func (u *Uses) tell(ctx context.Context) {
	known := u.known.Load()
	if known == nil {
		return
	}
	changed := map[CredentialID]time.Time{}
	for id, one := range *known {
		if last := one.last.Load(); last > one.told.Load() {
			changed[id] = time.Unix(last, 0)
		}
	}
	if len(changed) == 0 {
		return
	}
	if err := u.options.Store.Merge(ctx, changed); err != nil {
		if u.options.Failed != nil {
			u.options.Failed(err)
		}
		return
	}
	for id, at := range changed {
		(*known)[id].told.Store(at.Unix())
	}
}
