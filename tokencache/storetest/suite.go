package storetest

import (
	"testing"
	"time"

	"iqgateway/internal/secret"
	"iqgateway/tokencache"
)

// Fleet is what one test of the suite works with: an empty state and several
// ways to it.
type Fleet struct {
	// Stores are at least three independent handles on one state, as those of
	// several replicas are. They must be usable until the test ends.
	Stores []tokencache.Store

	// Lose ends the claim on a key as if its holder had been frozen for longer
	// than its claim lives. The holder does not learn of it.
	Lose func(key tokencache.StoreKey)
}

// Run checks that a store keeps the contract of [tokencache.Store]. Each of
// its subtests gets a Fleet of its own.
func Run(t *testing.T, start func(t *testing.T) Fleet) {
	t.Helper()
	cases := map[string]func(*testing.T, Fleet){
		"nothing is known at first":             nothingKnown,
		"one claim at a time":                   oneClaim,
		"one claim at a time, in a herd":        oneClaimOfMany,
		"release":                               releasing,
		"a grant is seen by all":                grantIsSeen,
		"times survive":                         timesSurvive,
		"a claim shows the state":               claimShows,
		"nothing is written after a lost claim": lostClaimWritesNothing,
		"a claim that nobody took still counts": lateGrant,
		"generations only grow":                 generationsGrow,
		"a failure keeps the token":             failureKeepsToken,
		"a grant replaces the history":          grantReplacesHistory,
		"forgetting the token":                  forgetToken,
		"forgetting the history":                forgetHistory,
		"forgetting both":                       forgetBoth,
		"accepted":                              accepted,
		"an expired token":                      expired,
		"keys are apart":                        keysApart,
		"calls obey their context":              contexts,
		"concurrent use":                        hammer,
	}
	for name, check := range cases {
		t.Run(name, func(t *testing.T) { check(t, start(t)) })
	}
}

func testKey() tokencache.StoreKey {
	return tokencache.StoreKey{Environment: "production", Credential: "retail", Fingerprint: [32]byte{1, 2, 3}}
}

func testToken(text string) tokencache.SharedToken {
	now := time.Now()
	return tokencache.SharedToken{
		Field: secret.New("Bearer " + text), Refresh: secret.New("refresh-" + text),
		Issued: now.Add(-time.Minute), Expires: now.Add(12 * time.Hour), Holder: "gw-" + text,
	}
}

func testHistory() tokencache.History {
	now := time.Now()
	return tokencache.History{
		Failures: 3, FailedAt: now.Add(-time.Second), AskedFor: 7 * time.Second,
		Refusals:   []tokencache.Refusal{{ID: "one", At: now.Add(-time.Hour)}, {ID: "two", At: now.Add(-time.Minute)}},
		ReplacedAt: now.Add(-30 * time.Second), LastError: "token endpoint: status 400 invalid_grant",
	}
}

// mustClaim claims; the claim is released when the test ends.
func mustClaim(t *testing.T, s tokencache.Store, key tokencache.StoreKey) tokencache.Claim {
	t.Helper()
	c, _, err := s.Claim(t.Context(), key)
	if err != nil || c == nil {
		t.Fatalf("no claim: %v", err)
	}
	t.Cleanup(c.Release)
	return c
}

func mustNotClaim(t *testing.T, s tokencache.Store, key tokencache.StoreKey) {
	t.Helper()
	c, _, err := s.Claim(t.Context(), key)
	if err != nil || c != nil {
		t.Fatalf("claimed: %t, %v", c != nil, err)
	}
}

// grant claims, grants and releases.
func grant(t *testing.T, s tokencache.Store, text string, h tokencache.History) uint64 {
	t.Helper()
	c := mustClaim(t, s, testKey())
	generation, err := c.Grant(t.Context(), testToken(text), h)
	if err != nil || generation == 0 {
		t.Fatalf("not granted: %d, %v", generation, err)
	}
	c.Release()
	return generation
}

func load(t *testing.T, s tokencache.Store, key tokencache.StoreKey) tokencache.Shared {
	t.Helper()
	got, err := s.Load(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// wantToken checks which token all see; "" = none.
func wantToken(t *testing.T, f Fleet, text string, generation uint64) {
	t.Helper()
	for i, s := range f.Stores {
		got := load(t, s, testKey())
		field := ""
		if text != "" {
			field = "Bearer " + text
		}
		if got.Token.Field.Reveal() != field || got.Generation != generation {
			t.Errorf("store %d shows generation %d, want %d (token as wanted: %t)", i, got.Generation, generation, got.Token.Field.Reveal() == field)
		}
	}
}

// about allows for what the conversion of clocks cannot know.
func about(a, b time.Time) bool {
	if a.IsZero() || b.IsZero() {
		return a.IsZero() && b.IsZero()
	}
	return a.Sub(b).Abs() < 250*time.Millisecond
}

func sameHistory(a, b tokencache.History) bool {
	same := a.Failures == b.Failures && about(a.FailedAt, b.FailedAt) && a.AskedFor == b.AskedFor &&
		about(a.ReplacedAt, b.ReplacedAt) && a.LastError == b.LastError && len(a.Refusals) == len(b.Refusals)
	for i := range a.Refusals {
		same = same && a.Refusals[i].ID == b.Refusals[i].ID && about(a.Refusals[i].At, b.Refusals[i].At)
	}
	return same
}
