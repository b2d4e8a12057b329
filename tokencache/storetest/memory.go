package storetest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"iqgateway/tokencache"
)

// LockTTL is how long a claim of [Memory] outlives the moment at which its
// holder was cut off.
const LockTTL = 3 * time.Second

// ErrAway is what a [Replica] returns that does not reach the state.
var ErrAway = errors.New("the store is away")

// Memory is the state of a fleet whose replicas all run in this process. It
// works in synctest bubbles.
type Memory struct {
	mu      sync.Mutex
	records map[tokencache.StoreKey]record
}

type record struct {
	fence    uint64
	holder   *claim // nil = nobody
	shared   tokencache.Shared
	forgiven time.Time
}

// NewMemory returns an empty state.
func NewMemory() *Memory { return &Memory{records: make(map[tokencache.StoreKey]record)} }

// Flush forgets everything, the count of generations included.
func (m *Memory) Flush() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.records)
}

// Snapshot returns a func that restores what is known now.
func (m *Memory) Snapshot() (restore func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	kept := maps.Clone(m.records)
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.records = maps.Clone(kept)
	}
}

// Lose ends the claim on key as if its holder had been frozen for longer than
// its claim lives.
func (m *Memory) Lose(key tokencache.StoreKey) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.records[key]
	r.holder = nil
	m.records[key] = r
}

// Replica returns a new replica's way to the state.
func (m *Memory) Replica() *Replica { return &Replica{memory: m, calls: make(map[string]int)} }

// Replica is a [tokencache.Store]. The zero value is of no use.
type Replica struct {
	memory *Memory

	mu     sync.Mutex
	calls  map[string]int
	away   bool
	frozen bool
	cutAt  time.Time // since when it is one of them
	diedAt time.Time // claims from before have run out meanwhile
	cutIn  int       // calls until it is away; 0 = no such plan
}

var _ tokencache.Store = (*Replica)(nil)

// SetAway lets every call fail at once; claims die after [LockTTL].
func (r *Replica) SetAway(away bool) { r.cut(away, false) }

// SetFrozen lets every call hang until its context ends; claims die after
// [LockTTL].
func (r *Replica) SetFrozen(frozen bool) { r.cut(false, frozen) }

func (r *Replica) cut(away, frozen bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ranOut() {
		r.diedAt = time.Now()
	}
	r.away, r.frozen, r.cutIn = away, frozen, 0
	switch {
	case !away && !frozen:
		r.cutAt = time.Time{}
	case r.cutAt.IsZero():
		r.cutAt = time.Now()
	}
}

// AwayAfter lets n more calls through; then the state is away.
func (r *Replica) AwayAfter(n int) {
	r.cut(n == 0, false)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cutIn = n
}

// Calls returns how often an operation (load, claim, grant, fail, accepted,
// forget) has been asked for.
func (r *Replica) Calls(operation string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.calls[operation]
}

// reach counts a call and waits or fails as it is set.
func (r *Replica) reach(ctx context.Context, operation string) error {
	r.mu.Lock()
	r.calls[operation]++
	away, frozen := r.away, r.frozen
	if r.cutIn > 0 {
		if r.cutIn--; r.cutIn == 0 {
			r.away, r.cutAt = true, time.Now()
		}
	}
	r.mu.Unlock()
	if frozen {
		<-ctx.Done()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if away {
		return ErrAway
	}
	return nil
}

func (r *Replica) ranOut() bool { return !r.cutAt.IsZero() && time.Since(r.cutAt) >= LockTTL }

// alive: nobody else may claim. A claim whose release did not come through
// runs out like one whose holder was cut off.
func (c *claim) alive() bool {
	if c == nil || !c.givenUp.IsZero() && time.Since(c.givenUp) >= LockTTL {
		return false
	}
	r := c.replica
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.ranOut() && !c.made.Before(r.diedAt)
}

// Load implements [tokencache.Store].
func (r *Replica) Load(ctx context.Context, key tokencache.StoreKey) (tokencache.Shared, error) {
	if err := r.reach(ctx, "load"); err != nil {
		return tokencache.Shared{}, err
	}
	r.memory.mu.Lock()
	defer r.memory.mu.Unlock()
	return r.memory.records[key].show(), nil
}

// show returns what is known: an expired token is not.
func (r record) show() tokencache.Shared {
	s := r.shared
	s.Forgiven = r.forgiven
	s.History.Refusals = slices.Clone(s.History.Refusals)
	if !s.Token.Expires.After(time.Now()) {
		s.Generation, s.Token, s.Accepted = 0, tokencache.SharedToken{}, false
	}
	return s
}

// Claim implements [tokencache.Store].
func (r *Replica) Claim(ctx context.Context, key tokencache.StoreKey) (tokencache.Claim, tokencache.Shared, error) {
	if err := r.reach(ctx, "claim"); err != nil {
		return nil, tokencache.Shared{}, err
	}
	r.memory.mu.Lock()
	defer r.memory.mu.Unlock()
	rec := r.memory.records[key]
	if rec.holder.alive() {
		return nil, rec.show(), nil
	}
	rec.fence++
	rec.holder = &claim{replica: r, key: key, fence: rec.fence, made: time.Now()}
	r.memory.records[key] = rec
	return rec.holder, rec.show(), nil
}

// Accepted implements [tokencache.Store].
func (r *Replica) Accepted(ctx context.Context, key tokencache.StoreKey, generation uint64) error {
	return r.change(ctx, "accepted", key, func(rec *record) error {
		if generation != 0 && rec.shared.Generation == generation {
			rec.shared.Accepted = true
		}
		return nil
	})
}

// Forget implements [tokencache.Store].
func (r *Replica) Forget(ctx context.Context, key tokencache.StoreKey, what tokencache.Forgotten) error {
	return r.change(ctx, "forget", key, func(rec *record) error {
		if what&tokencache.ForgetToken != 0 {
			rec.shared.Generation, rec.shared.Token, rec.shared.Accepted = 0, tokencache.SharedToken{}, false
		}
		if what&tokencache.ForgetHistory != 0 {
			rec.shared.History = tokencache.History{}
			rec.forgiven = time.Now()
		}
		return nil
	})
}

func (r *Replica) change(ctx context.Context, operation string, key tokencache.StoreKey, f func(*record) error) error {
	if err := r.reach(ctx, operation); err != nil {
		return err
	}
	r.memory.mu.Lock()
	defer r.memory.mu.Unlock()
	rec := r.memory.records[key]
	if err := f(&rec); err != nil {
		return err
	}
	r.memory.records[key] = rec
	return nil
}

type claim struct {
	replica *Replica
	key     tokencache.StoreKey
	fence   uint64
	made    time.Time
	givenUp time.Time // guarded by memory.mu
}

// Grant implements [tokencache.Claim].
func (c *claim) Grant(ctx context.Context, token tokencache.SharedToken, history tokencache.History) (uint64, error) {
	err := c.write(ctx, "grant", func(rec *record) {
		rec.shared = tokencache.Shared{Generation: c.fence, Token: token, History: history}
	})
	if err != nil {
		return 0, err
	}
	return c.fence, nil
}

// Fail implements [tokencache.Claim].
func (c *claim) Fail(ctx context.Context, history tokencache.History) error {
	return c.write(ctx, "fail", func(rec *record) { rec.shared.History = history })
}

func (c *claim) write(ctx context.Context, operation string, f func(*record)) error {
	return c.replica.change(ctx, operation, c.key, func(rec *record) error {
		if rec.fence != c.fence {
			return tokencache.ErrClaimLost
		}
		f(rec)
		return nil
	})
}

// Release implements [tokencache.Claim].
func (c *claim) Release() {
	// Long enough for a busy machine; a frozen replica waits it out.
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	c.replica.memory.mu.Lock()
	if c.givenUp.IsZero() {
		c.givenUp = time.Now()
	}
	c.replica.memory.mu.Unlock()
	_ = c.replica.change(ctx, "release", c.key, func(rec *record) error {
		if rec.holder == c {
			rec.holder = nil
		}
		return nil
	})
}

// Keys returns the keys that were ever written to.
func (m *Memory) Keys() []tokencache.StoreKey {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Keys(m.records))
}
