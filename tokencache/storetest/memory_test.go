package storetest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"iqgateway/internal/secret"
	"iqgateway/tokencache"
	"iqgateway/tokencache/storetest"
)

func TestMemory(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Fleet {
		m := storetest.NewMemory()
		return storetest.Fleet{
			Stores: []tokencache.Store{m.Replica(), m.Replica(), m.Replica()},
			Lose:   m.Lose,
		}
	})
}

func TestReplicasCanBeCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := storetest.NewMemory()
		a, b, key := m.Replica(), m.Replica(), tokencache.StoreKey{Credential: "retail"}
		held, _, err := a.Claim(t.Context(), key)
		if err != nil || held == nil {
			t.Fatal(err)
		}
		a.SetAway(true)
		if _, err := a.Load(t.Context(), key); !errors.Is(err, storetest.ErrAway) {
			t.Errorf("away: %v", err)
		}
		for range 3 {
			if c, _, err := b.Claim(t.Context(), key); c != nil || err != nil {
				t.Errorf("claimed %t, %v", c != nil, err)
			}
			<-time.After(storetest.LockTTL / 3)
		}
		if c, _, err := b.Claim(t.Context(), key); c == nil || err != nil {
			t.Errorf("the claim of a lost replica lives on: %v", err)
		}
		a.SetFrozen(true)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		since := time.Now()
		if _, err := a.Load(ctx, key); !errors.Is(err, context.DeadlineExceeded) || time.Since(since) != time.Second {
			t.Errorf("frozen: %v after %s", err, time.Since(since))
		}
		a.AwayAfter(1)
		_, first := a.Load(t.Context(), key)
		_, second := a.Load(t.Context(), key)
		if first != nil || !errors.Is(second, storetest.ErrAway) || a.Calls("load") != 4 {
			t.Errorf("%v, then %v, after %d calls", first, second, a.Calls("load"))
		}
	})
}

func TestSnapshotAndFlush(t *testing.T) {
	m := storetest.NewMemory()
	s, key := m.Replica(), tokencache.StoreKey{Credential: "retail"}
	var restore func()
	for i := range 2 {
		c, _, err := s.Claim(t.Context(), key)
		if err != nil || c == nil {
			t.Fatal(err)
		}
		token := tokencache.SharedToken{Field: secret.New("Bearer x"), Issued: time.Now(), Expires: time.Now().Add(time.Hour)}
		if _, err := c.Grant(t.Context(), token, tokencache.History{}); err != nil {
			t.Fatal(err)
		}
		c.Release()
		if i == 0 {
			restore = m.Snapshot()
		}
	}
	generation := func() uint64 {
		got, err := s.Load(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		return got.Generation
	}
	if got := generation(); got != 2 {
		t.Errorf("generation %d", got)
	}
	restore()
	if got := generation(); got != 1 {
		t.Errorf("restored: generation %d", got)
	}
	m.Flush()
	if got := generation(); got != 0 {
		t.Errorf("flushed: generation %d", got)
	}
}
