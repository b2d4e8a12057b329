package storetest

import (
	"testing"
	"time"

	"iqgateway/tokencache"
)

func nothingKnown(t *testing.T, f Fleet) {
	for _, s := range f.Stores {
		got := load(t, s, testKey())
		if got.Generation != 0 || !got.Token.Field.IsZero() || got.Accepted || !sameHistory(got.History, tokencache.History{}) || !got.Forgiven.IsZero() {
			t.Errorf("%+v", got)
		}
	}
	c, got, err := f.Stores[0].Claim(t.Context(), testKey())
	if err != nil || c == nil || got.Generation != 0 {
		t.Fatalf("claim %t, %+v, %v", c != nil, got, err)
	}
	c.Release()
}

func grantIsSeen(t *testing.T, f Fleet) {
	generation := grant(t, f.Stores[0], "a", tokencache.History{})
	wantToken(t, f, "a", generation)
	for _, s := range f.Stores {
		got := load(t, s, testKey())
		if got.Token.Refresh.Reveal() != "refresh-a" || got.Token.Holder != "gw-a" || got.Accepted {
			t.Errorf("holder %q, accepted %t", got.Token.Holder, got.Accepted)
		}
	}
}

func timesSurvive(t *testing.T, f Fleet) {
	token, history := testToken("a"), testHistory()
	c := mustClaim(t, f.Stores[0], testKey())
	if _, err := c.Grant(t.Context(), token, history); err != nil {
		t.Fatal(err)
	}
	for i, s := range f.Stores {
		got := load(t, s, testKey())
		if !about(got.Token.Issued, token.Issued) || !about(got.Token.Expires, token.Expires) {
			t.Errorf("store %d: issued %s, expires %s", i, time.Since(got.Token.Issued), time.Until(got.Token.Expires))
		}
		if !sameHistory(got.History, history) {
			t.Errorf("store %d: %+v, want %+v", i, got.History, history)
		}
	}
}

func generationsGrow(t *testing.T, f Fleet) {
	last := uint64(0)
	for i := range 12 {
		s := f.Stores[i%len(f.Stores)]
		switch i % 4 {
		case 1: // a claim that brings nothing
			mustClaim(t, s, testKey()).Release()
		case 2: // one that is lost
			mustClaim(t, s, testKey())
			f.Lose(testKey())
		case 3:
			if err := s.Forget(t.Context(), testKey(), tokencache.ForgetToken); err != nil {
				t.Fatal(err)
			}
		}
		generation := grant(t, s, "x", tokencache.History{})
		if generation <= last {
			t.Fatalf("generation %d after %d", generation, last)
		}
		last = generation
	}
}

func failureKeepsToken(t *testing.T, f Fleet) {
	generation := grant(t, f.Stores[0], "a", tokencache.History{})
	if err := f.Stores[0].Accepted(t.Context(), testKey(), generation); err != nil {
		t.Fatal(err)
	}
	c := mustClaim(t, f.Stores[1], testKey())
	if err := c.Fail(t.Context(), testHistory()); err != nil {
		t.Fatal(err)
	}
	wantToken(t, f, "a", generation)
	for _, s := range f.Stores {
		if got := load(t, s, testKey()); !sameHistory(got.History, testHistory()) || !got.Accepted {
			t.Errorf("accepted %t, history %+v", got.Accepted, got.History)
		}
	}
}

func grantReplacesHistory(t *testing.T, f Fleet) {
	c := mustClaim(t, f.Stores[0], testKey())
	if err := c.Fail(t.Context(), testHistory()); err != nil {
		t.Fatal(err)
	}
	want := tokencache.History{ReplacedAt: time.Now()}
	if _, err := c.Grant(t.Context(), testToken("a"), want); err != nil {
		t.Fatal(err)
	}
	if got := load(t, f.Stores[1], testKey()); !sameHistory(got.History, want) {
		t.Errorf("%+v", got.History)
	}
}

func forgetToken(t *testing.T, f Fleet) {
	before := grant(t, f.Stores[0], "a", testHistory())
	if err := f.Stores[1].Forget(t.Context(), testKey(), tokencache.ForgetToken); err != nil {
		t.Fatal(err)
	}
	wantToken(t, f, "", 0)
	if got := load(t, f.Stores[2], testKey()); !sameHistory(got.History, testHistory()) || got.Accepted || !got.Forgiven.IsZero() {
		t.Errorf("the history went along, or is forgiven: %+v", got)
	}
	if after := grant(t, f.Stores[0], "b", tokencache.History{}); after <= before {
		t.Errorf("generation %d after %d", after, before)
	}
}

func forgetHistory(t *testing.T, f Fleet) {
	generation := grant(t, f.Stores[0], "a", testHistory())
	if err := f.Stores[1].Forget(t.Context(), testKey(), tokencache.ForgetHistory); err != nil {
		t.Fatal(err)
	}
	wantToken(t, f, "a", generation)
	for i, s := range f.Stores {
		got := load(t, s, testKey())
		if !sameHistory(got.History, tokencache.History{}) || !about(got.Forgiven, time.Now()) {
			t.Errorf("store %d: forgiven %s, %+v", i, got.Forgiven, got.History)
		}
	}
	c := mustClaim(t, f.Stores[2], testKey())
	if err := c.Fail(t.Context(), testHistory()); err != nil {
		t.Fatal(err)
	}
	if got := load(t, f.Stores[0], testKey()); got.Forgiven.IsZero() || !sameHistory(got.History, testHistory()) {
		t.Errorf("after a new failure: forgiven %s, %+v", got.Forgiven, got.History)
	}
}

func forgetBoth(t *testing.T, f Fleet) {
	grant(t, f.Stores[0], "a", testHistory())
	if err := f.Stores[1].Forget(t.Context(), testKey(), tokencache.ForgetToken|tokencache.ForgetHistory); err != nil {
		t.Fatal(err)
	}
	wantToken(t, f, "", 0)
	if got := load(t, f.Stores[2], testKey()); !sameHistory(got.History, tokencache.History{}) {
		t.Errorf("%+v", got.History)
	}
}

func accepted(t *testing.T, f Fleet) {
	first := grant(t, f.Stores[0], "a", tokencache.History{})
	note := func(generation uint64, want bool) {
		t.Helper()
		if err := f.Stores[1].Accepted(t.Context(), testKey(), generation); err != nil {
			t.Fatal(err)
		}
		for i, s := range f.Stores {
			if got := load(t, s, testKey()); got.Accepted != want {
				t.Errorf("store %d, after noting %d: accepted %t", i, generation, got.Accepted)
			}
		}
	}
	note(first+1, false)
	note(0, false)
	note(first, true)
	note(first, true)
	second := grant(t, f.Stores[2], "b", tokencache.History{})
	note(first, false) // late
	note(second, true)
}

// An expired token is shown as expired, or not at all.
func expired(t *testing.T, f Fleet) {
	token := testToken("short")
	token.Expires = time.Now().Add(300 * time.Millisecond)
	c := mustClaim(t, f.Stores[0], testKey())
	if _, err := c.Grant(t.Context(), token, tokencache.History{}); err != nil {
		t.Fatal(err)
	}
	<-time.After(time.Until(token.Expires) + 250*time.Millisecond)
	for i, s := range f.Stores {
		if got := load(t, s, testKey()); got.Generation != 0 && got.Token.Expires.After(time.Now()) {
			t.Errorf("store %d shows it for another %s", i, time.Until(got.Token.Expires))
		}
	}
}

func keysApart(t *testing.T, f Fleet) {
	grant(t, f.Stores[0], "a", testHistory())
	mustClaim(t, f.Stores[0], testKey())
	keys := [...]tokencache.StoreKey{testKey(), testKey(), testKey(), testKey()}
	keys[0].Environment = "sandbox"
	keys[1].Credential = "wholesale"
	keys[2].Fingerprint[31] = 1
	keys[3].Environment, keys[3].Credential = "productionr", "etail"
	for _, key := range keys {
		if got := load(t, f.Stores[1], key); got.Generation != 0 || got.History.Failures != 0 {
			t.Errorf("%s/%s shows another's state", key.Environment, key.Credential)
		}
		mustClaim(t, f.Stores[1], key)
	}
}
