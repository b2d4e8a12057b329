package iqsim

import (
	"testing"
	"time"
)

func TestTokenSweep(t *testing.T) {
	store := newTokens(randomSource(1, "sandbox"))
	now := time.Date(2026, 3, 2, 15, 4, 0, 0, time.UTC)
	var old token
	for range sweepTokensAt {
		old = store.issue("a", "c", now, time.Minute)
	}
	now = now.Add(time.Minute)
	fresh := store.issue("a", "c", now, time.Minute)
	if n := len(store.byText); n != 1 {
		t.Errorf("%d access tokens left, want the one that is alive", n)
	}
	if _, ok := store.valid(fresh.text, now); !ok {
		t.Error("the live token was swept")
	}
	if account, ok := store.exchange(old.refresh, "c", now); !ok || account != "a" {
		t.Errorf("the refresh token of an expired access token: %q, %v, want it alive", account, ok)
	}

	now = now.Add(refreshLifetime)
	const more = sweepTokensAt + 1 // the next sweep waits for twice as many as stayed
	for range more {
		store.issue("a", "c", now, time.Minute)
	}
	if n := len(store.byRefresh); n != more {
		t.Errorf("%d refresh tokens left, want the %d that are alive", n, more)
	}
}

func TestRefreshTokenExpires(t *testing.T) {
	now := time.Date(2026, 3, 2, 15, 4, 0, 0, time.UTC)
	for _, tt := range []struct {
		after time.Duration
		good  bool
	}{{refreshLifetime - 1, true}, {refreshLifetime, false}} {
		store := newTokens(randomSource(1, "sandbox"))
		k := store.issue("a", "c", now, time.Minute)
		if _, ok := store.exchange(k.refresh, "c", now.Add(tt.after)); ok != tt.good {
			t.Errorf("after %v: good = %v, want %v", tt.after, ok, tt.good)
		}
	}
}

func TestRefreshTokenBelongsToItsClient(t *testing.T) {
	store := newTokens(randomSource(1, "sandbox"))
	now := time.Date(2026, 3, 2, 15, 4, 0, 0, time.UTC)
	k := store.issue("a", "mine", now, time.Minute)
	if _, ok := store.exchange(k.refresh, "other", now); ok {
		t.Error("another client exchanged it")
	}
	if _, ok := store.valid(k.text, now); !ok {
		t.Error("the failed attempt revoked the access token")
	}
	if account, ok := store.exchange(k.refresh, "mine", now); !ok || account != "a" {
		t.Errorf("exchange = %q, %v", account, ok)
	}
}

func TestRevokeCounts(t *testing.T) {
	store := newTokens(randomSource(1, "sandbox"))
	now := time.Date(2026, 3, 2, 15, 4, 0, 0, time.UTC)
	for _, account := range []string{"a", "a", "b"} {
		store.issue(account, "c", now, time.Minute)
	}
	ofA := func(k token) bool { return k.account == "a" }
	if first, second := store.revoke(ofA), store.revoke(ofA); first != 2 || second != 0 {
		t.Errorf("revoked %d, then %d", first, second)
	}
	if n := store.live(now); n != 1 {
		t.Errorf("%d live", n)
	}
}
