package storetest

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"iqgateway/cache"
)

func tierClaim(t *testing.T, s *shelf) {
	s.claims(0, "x", long)
	for i := range s.tiers {
		if _, ok := s.claim(i, "x", long); ok {
			t.Errorf("handle %d claims what is claimed", i)
		}
	}
	s.want("x", cache.Entry{Claimed: true})
	s.want("y", cache.Entry{})
	s.claims(1, "y", long)
}

func tierHerd(t *testing.T, s *shelf) {
	var won atomic.Int64
	var herd sync.WaitGroup
	for i := range 60 {
		herd.Go(func() {
			_, ok, err := s.tiers[i%3].Claim(t.Context(), s.name("x"), long)
			if err != nil {
				t.Errorf("claim: %v", err)
			}
			if ok {
				won.Add(1)
			}
		})
	}
	herd.Wait()
	if n := won.Load(); n != 1 {
		t.Errorf("%d of a herd have the claim", n)
	}
}

func tierClaimPut(t *testing.T, s *shelf) {
	token := s.claims(0, "x", long)
	s.put(0, "x", "v", long, token)
	s.want("x", cache.Entry{Value: []byte("v")})
	if s.renew(0, "x", token, long) {
		t.Error("a claim was renewed that its value has ended")
	}
	if again := s.claims(1, "x", long); again == token {
		t.Error("two claims have the same token")
	}
}

func tierClaimRelease(_ *testing.T, s *shelf) {
	token := s.claims(0, "x", long)
	s.release(1, "x", token, 0) // whoever has the token may
	s.want("x", cache.Entry{})
	s.claims(2, "x", long)
}

func tierClaimTime(t *testing.T, s *shelf) {
	begun := time.Now()
	s.claims(0, "x", 300*time.Millisecond)
	if !s.get(1, "x").Claimed && time.Since(begun) < 200*time.Millisecond {
		t.Error("not claimed any more before its time")
	}
	eventually(t, "the claim ends", func() bool { return !s.get(1, "x").Claimed })
	if lasted := time.Since(begun); lasted < 290*time.Millisecond || lasted > 4*time.Second {
		t.Errorf("a claim for 300 ms lasted for %v", lasted)
	}
	s.claims(1, "x", long)
}

func tierRenew(t *testing.T, s *shelf) {
	token := s.claims(0, "x", 500*time.Millisecond)
	if s.renew(1, "x", "not "+token, long) || s.renew(1, "x", "", long) || s.renew(1, "y", token, long) {
		t.Error("renewed by somebody else")
	}
	if !s.renew(0, "x", token, long) {
		t.Fatal("not renewed by its holder")
	}
	pause(t, 700*time.Millisecond)
	s.want("x", cache.Entry{Claimed: true})
	if !s.renew(0, "x", token, 200*time.Millisecond) {
		t.Error("not renewed for a shorter time")
	}
	eventually(t, "the claim ends", func() bool { return !s.get(1, "x").Claimed })
	if s.renew(0, "x", token, long) {
		t.Error("renewed after its end")
	}
	s.want("x", cache.Entry{})
}

func tierForeign(_ *testing.T, s *shelf) {
	token := s.claims(0, "x", long)
	s.release(1, "x", "not "+token, 0)
	s.release(1, "x", "", 0)
	s.want("x", cache.Entry{Claimed: true})
	s.put(1, "x", "v", long, "not "+token)
	s.put(1, "x", "v", long, "")
	s.want("x", cache.Entry{Value: []byte("v"), Claimed: true})
}

func tierOvertaken(t *testing.T, s *shelf) {
	old := s.claims(0, "x", 100*time.Millisecond)
	eventually(t, "the claim ends", func() bool { return !s.get(1, "x").Claimed })
	s.claims(1, "x", long)
	if s.renew(0, "x", old, long) {
		t.Error("the overtaken holder renews")
	}
	s.release(0, "x", old, 0)
	s.want("x", cache.Entry{Claimed: true})
	if err := s.tiers[0].Put(t.Context(), s.name("x"), []byte("late"), long, old); err != nil {
		t.Errorf("losing a claim costs a fetch, not an error: %v", err)
	}
	if !s.get(2, "x").Claimed {
		t.Error("the overtaken holder's value ends the claim")
	}
}

func tierClaimedValue(_ *testing.T, s *shelf) {
	s.put(0, "x", "old", long, "")
	token := s.claims(0, "x", long)
	s.want("x", cache.Entry{Value: []byte("old"), Claimed: true})
	s.put(0, "x", "new", long, token)
	s.want("x", cache.Entry{Value: []byte("new")})
}

func tierAlone(t *testing.T, s *shelf) {
	token := s.claims(0, "x", long)
	begun := time.Now()
	s.release(0, "x", token, 500*time.Millisecond)
	if e := s.get(1, "x"); (!e.Alone || e.Claimed) && time.Since(begun) < 400*time.Millisecond {
		t.Errorf("after an answer that cannot be shared: %s", show(e))
	}
	s.release(0, "y", s.claims(0, "y", long), 0)
	s.want("y", cache.Entry{})
	eventually(t, "the word ends", func() bool { return !s.get(1, "x").Alone })
	if lasted := time.Since(begun); lasted < 490*time.Millisecond || lasted > 4*time.Second {
		t.Errorf("a word for 500 ms lasted for %v", lasted)
	}
	s.release(0, "x", s.claims(0, "x", long), 0)
	s.want("x", cache.Entry{})
}
