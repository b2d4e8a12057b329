package tokencache

import (
	"testing"
)

// A valid token costs an atomic load: no lock, no allocation, however many
// ask at once, also where the token is shared.
func BenchmarkAcquire(b *testing.B) {
	cache := New(Options{Store: &shown{state: sharedToken(1, 1<<42)}})
	defer cache.Close()
	set, err := cache.Use([]Credential{testCredential(&idp{})})
	if err != nil {
		b.Fatal(err)
	}
	id := testCredential(nil).id()
	if _, _, _, err := set.acquire(b.Context(), id); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, t, _, err := set.acquire(b.Context(), id); err != nil || t == nil {
				b.Error(err)
			}
		}
	})
}

func TestAcquireAllocatesNothing(t *testing.T) {
	inBubble(t, Options{}, &idp{}, nil, func(t *testing.T, e *entry, s *Set) {
		tok := wantToken(t, e, 1)
		e.mu.Lock() // nobody may need it
		defer e.mu.Unlock()
		if n := testing.AllocsPerRun(100, func() {
			if got, err := acquired(e.acquire(t.Context())); err != nil || got != tok {
				t.Error(got, err)
			}
		}); n != 0 {
			t.Errorf("%g allocations", n)
		}
	})
}
