package iqsim

import (
	"testing"
	"time"
)

func TestTokenSweep(t *testing.T) {
	store := newTokens(randomSource(1, "sandbox"))
	now := time.Date(2026, 3, 2, 15, 4, 0, 0, time.UTC)
	for range sweepTokensAt {
		store.issue("a", "c", now, time.Minute)
	}
	fresh := store.issue("a", "c", now.Add(time.Minute), time.Minute)
	if n := len(store.byText); n != 1 || len(store.byRefresh) != 1 {
		t.Errorf("%d tokens left, want the one that is alive", n)
	}
	if _, ok := store.valid(fresh.text, now.Add(time.Minute)); !ok {
		t.Error("the live token was swept")
	}
}

func TestRefreshTokenBelongsToItsClient(t *testing.T) {
	store := newTokens(randomSource(1, "sandbox"))
	now := time.Date(2026, 3, 2, 15, 4, 0, 0, time.UTC)
	k := store.issue("a", "mine", now, time.Minute)
	if _, ok := store.exchange(k.refresh, "other"); ok {
		t.Error("another client exchanged it")
	}
	if _, ok := store.valid(k.text, now); !ok {
		t.Error("the failed attempt revoked the access token")
	}
	if account, ok := store.exchange(k.refresh, "mine"); !ok || account != "a" {
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
