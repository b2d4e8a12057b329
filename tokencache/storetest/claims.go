package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"iqgateway/tokencache"
)

func oneClaim(t *testing.T, f Fleet) {
	c := mustClaim(t, f.Stores[0], testKey())
	for _, s := range f.Stores { // the holder's own store, too
		mustNotClaim(t, s, testKey())
	}
	c.Release()
	mustClaim(t, f.Stores[1], testKey())
}

func oneClaimOfMany(t *testing.T, f Fleet) {
	var claims atomic.Int32
	var callers sync.WaitGroup
	for i := range 24 {
		callers.Go(func() {
			c, _, err := f.Stores[i%len(f.Stores)].Claim(t.Context(), testKey())
			if err != nil {
				t.Error(err)
			}
			if c != nil {
				claims.Add(1)
				t.Cleanup(c.Release)
			}
		})
	}
	callers.Wait()
	if claims.Load() != 1 {
		t.Errorf("%d claims at once", claims.Load())
	}
}

// Releasing again does not take the claim of whoever came next.
func releasing(t *testing.T, f Fleet) {
	first := mustClaim(t, f.Stores[0], testKey())
	first.Release()
	second := mustClaim(t, f.Stores[1], testKey())
	first.Release()
	mustNotClaim(t, f.Stores[2], testKey())
	if _, err := second.Grant(t.Context(), testToken("b"), tokencache.History{}); err != nil {
		t.Error(err)
	}
}

func claimShows(t *testing.T, f Fleet) {
	generation := grant(t, f.Stores[0], "a", testHistory())
	holder, seen, err := f.Stores[1].Claim(t.Context(), testKey())
	if err != nil || holder == nil {
		t.Fatalf("no claim: %v", err)
	}
	defer holder.Release()
	refused, other, err := f.Stores[2].Claim(t.Context(), testKey())
	if err != nil || refused != nil {
		t.Fatalf("claimed: %t, %v", refused != nil, err)
	}
	for _, s := range []tokencache.Shared{seen, other} {
		if s.Generation != generation || s.Token.Field.Reveal() != "Bearer a" || !sameHistory(s.History, testHistory()) {
			t.Errorf("the claim shows generation %d, want %d; history %+v", s.Generation, generation, s.History)
		}
	}
}

func lostClaimWritesNothing(t *testing.T, f Fleet) {
	frozen := mustClaim(t, f.Stores[0], testKey())
	f.Lose(testKey())
	next := mustClaim(t, f.Stores[1], testKey())
	writes := func(when string) {
		t.Helper()
		if _, err := frozen.Grant(t.Context(), testToken("late"), tokencache.History{}); !errors.Is(err, tokencache.ErrClaimLost) {
			t.Errorf("%s: Grant: %v", when, err)
		}
		if err := frozen.Fail(t.Context(), testHistory()); !errors.Is(err, tokencache.ErrClaimLost) {
			t.Errorf("%s: Fail: %v", when, err)
		}
	}
	writes("while another holds a claim")
	wantToken(t, f, "", 0)
	generation, err := next.Grant(t.Context(), testToken("next"), tokencache.History{})
	if err != nil {
		t.Fatal(err)
	}
	writes("after another's grant")
	frozen.Release()
	mustNotClaim(t, f.Stores[2], testKey())
	next.Release()
	writes("after another's release")
	wantToken(t, f, "next", generation)
	if got := load(t, f.Stores[0], testKey()); got.History.Failures != 0 || len(got.History.Refusals) != 0 {
		t.Errorf("a lost claim has written %+v", got.History)
	}
}

func lateGrant(t *testing.T, f Fleet) {
	frozen := mustClaim(t, f.Stores[0], testKey())
	f.Lose(testKey())
	generation, err := frozen.Grant(t.Context(), testToken("late"), tokencache.History{})
	if err != nil {
		t.Fatal(err)
	}
	wantToken(t, f, "late", generation)
}

// A call whose context has ended returns soon, with an error.
func contexts(t *testing.T, f Fleet) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s, since := f.Stores[0], time.Now()
	if _, err := s.Load(ctx, testKey()); err == nil {
		t.Error("Load: no error")
	}
	if c, _, err := s.Claim(ctx, testKey()); err == nil || c != nil {
		t.Errorf("Claim: claimed %t, %v", c != nil, err)
	}
	if err := s.Accepted(ctx, testKey(), 1); err == nil {
		t.Error("Accepted: no error")
	}
	if err := s.Forget(ctx, testKey(), tokencache.ForgetToken); err == nil {
		t.Error("Forget: no error")
	}
	if took := time.Since(since); took > time.Second {
		t.Errorf("took %s", took)
	}
}

// hammer has all replicas fetch at once, again and again: each generation is
// granted once, and what is shown under it is what was granted under it.
func hammer(t *testing.T, f Fleet) {
	const rounds = 40
	var granted sync.Map // generation -> text
	var replicas sync.WaitGroup
	for i, s := range f.Stores {
		replicas.Go(func() {
			for n := range rounds {
				c, _, err := s.Claim(t.Context(), testKey())
				if err != nil {
					t.Error(err)
					return
				}
				if c == nil {
					continue
				}
				text := fmt.Sprintf("%d-%d", i, n)
				generation, err := c.Grant(t.Context(), testToken(text), tokencache.History{})
				c.Release()
				if err != nil {
					t.Errorf("grant under a held claim: %v", err)
					continue
				}
				if _, twice := granted.LoadOrStore(generation, "Bearer "+text); twice {
					t.Errorf("generation %d was granted twice", generation)
				}
			}
		})
	}
	replicas.Wait()
	got := load(t, f.Stores[0], testKey())
	if want, ok := granted.Load(got.Generation); !ok || want != got.Token.Field.Reveal() {
		t.Errorf("generation %d is not what was granted (known: %t)", got.Generation, ok)
	}
}
