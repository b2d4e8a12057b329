package auth_test

import (
	"context"
	"errors"
	"maps"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"iqgateway/auth"
	"iqgateway/internal/exchange"
)

// useStore is a store in memory that may fail.
type useStore struct {
	mu      sync.Mutex
	last    map[auth.CredentialID]time.Time
	merges  int
	failing error
}

func (s *useStore) Merge(_ context.Context, used map[auth.CredentialID]time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.merges++
	if s.failing != nil {
		return s.failing
	}
	if s.last == nil {
		s.last = map[auth.CredentialID]time.Time{}
	}
	for id, at := range used {
		if at.After(s.last[id]) {
			s.last[id] = at
		}
	}
	return nil
}

func (s *useStore) Last(context.Context, []auth.CredentialID) (map[auth.CredentialID]time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failing != nil {
		return nil, s.failing
	}
	return maps.Clone(s.last), nil
}

func usedCaller(id string) *exchange.Caller {
	return &exchange.Caller{Name: "storefront", Proof: "key", KeyID: id}
}

func lastUse(t *testing.T, u *auth.Uses, id string) time.Time {
	t.Helper()
	of := auth.CredentialID{Caller: "storefront", Proof: "key", ID: id}
	last, err := u.Last(t.Context(), []auth.CredentialID{of})
	if err != nil {
		t.Error(err)
	}
	return last[of]
}

func TestUsesAreSharedSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &useStore{}
		here, there := auth.NewUses(auth.UsesOptions{Store: store}), auth.NewUses(auth.UsesOptions{Store: store})
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { here.Run(ctx) })
		at := time.Now().Truncate(time.Second)
		here.Note(usedCaller("a"), at.Add(300*time.Millisecond))
		if got := lastUse(t, here, "a"); !got.Equal(at) {
			t.Errorf("here: %s", got)
		}
		if got := lastUse(t, there, "a"); !got.IsZero() {
			t.Errorf("there before it was told: %s", got)
		}
		time.Sleep(16 * time.Second) //nolint:forbidigo // in a bubble: no time passes
		if got := lastUse(t, there, "a"); !got.Equal(at) {
			t.Errorf("there: %s", got)
		}
		time.Sleep(time.Minute) //nolint:forbidigo // in a bubble: no time passes
		store.mu.Lock()
		merges := store.merges
		store.mu.Unlock()
		if merges != 1 {
			t.Errorf("told %d times without a change", merges)
		}
		here.Note(usedCaller("a"), at.Add(-time.Hour)) // a request that began long ago
		here.Note(usedCaller("b"), at)
		stop()
		running.Wait()
		if a, b := lastUse(t, there, "a"), lastUse(t, there, "b"); !a.Equal(at) || !b.Equal(at) {
			t.Errorf("at the end: %s, %s", a, b)
		}
		if got := lastUse(t, there, "c"); !got.IsZero() {
			t.Errorf("one that was never used: %s", got)
		}
	})
}

// What the store does not take is told once it does, and known here meanwhile.
func TestUsesWhileTheStoreIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, failed := &useStore{failing: errors.New("away")}, new(atomic.Int32)
		u := auth.NewUses(auth.UsesOptions{Store: store, Failed: func(error) { failed.Add(1) }})
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { u.Run(ctx) })
		at := time.Now().Truncate(time.Second)
		u.Note(usedCaller("a"), at)
		time.Sleep(20 * time.Second) //nolint:forbidigo // in a bubble: no time passes
		id := auth.CredentialID{Caller: "storefront", Proof: "key", ID: "a"}
		if last, err := u.Last(ctx, []auth.CredentialID{id}); err == nil || !last[id].Equal(at) || failed.Load() != 1 {
			t.Errorf("%v, %v, failed %d times", last, err, failed.Load())
		}
		store.mu.Lock()
		store.failing = nil
		store.mu.Unlock()
		stop()
		running.Wait()
		if !store.last[id].Equal(at) {
			t.Errorf("the store has %s", store.last[id])
		}
	})
}

// A use costs neither a lock nor an allocation: every request is one.
func TestNotingAUseAllocatesNothing(t *testing.T) {
	u, caller, at := auth.NewUses(auth.UsesOptions{}), usedCaller("a"), time.Now()
	if n := testing.AllocsPerRun(100, func() {
		at = at.Add(time.Second)
		u.Note(caller, at)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestUsesConcurrently(t *testing.T) {
	u, at := auth.NewUses(auth.UsesOptions{}), time.Now().Truncate(time.Second)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range 100 {
				u.Note(usedCaller(string(rune('a'+n%20))), at.Add(time.Duration(i*n)*time.Second))
			}
		})
	}
	all.Wait()
	if got := lastUse(t, u, "t"); !got.Equal(at.Add(7 * 99 * time.Second)) {
		t.Errorf("%s", got)
	}
}

func BenchmarkNoteUse(b *testing.B) {
	u, caller, at := auth.NewUses(auth.UsesOptions{}), usedCaller("a"), time.Now()
	b.ReportAllocs()
	for b.Loop() {
		u.Note(caller, at)
	}
}
