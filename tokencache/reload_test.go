package tokencache

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"iqgateway/internal/secret"
)

func TestReloadKeepsTheToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		endpoint := &idp{}
		cache := New(Options{})
		defer cache.Close()
		use := func(change func(*Credential)) *Set {
			t.Helper()
			cred := testCredential(endpoint)
			change(&cred)
			set, err := cache.Use([]Credential{cred})
			if err != nil {
				t.Fatal(err)
			}
			return set
		}
		id := testCredential(nil).id()
		first := use(func(*Credential) {})
		wantToken(t, first.entries[id], 1)
		second := use(func(c *Credential) { c.RefreshAhead = time.Hour })
		first.Release()
		first.Release() // harmless
		wantToken(t, second.entries[id], 1)
		if endpoint.count() != 1 {
			t.Errorf("%d calls: the token did not survive", endpoint.count())
		}
		third := use(func(c *Credential) { c.Secrets.Username = secret.New("another") })
		wantToken(t, third.entries[id], 1)
		if endpoint.count() != 2 {
			t.Errorf("%d calls: another account shares the token", endpoint.count())
		}
		second.Release()
		third.Release()
		if len(cache.entries) != 0 {
			t.Errorf("%d credentials left", len(cache.entries))
		}
		wantToken(t, third.entries[id], 1) // still valid for requests on their way
	})
}

func TestReleaseDuringFetch(t *testing.T) {
	for name, end := range map[string]func(*Cache, *Set){
		"released": func(_ *Cache, s *Set) { s.Release() },
		"closed":   func(c *Cache, _ *Set) { c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			endpoint := &idp{delay: 5 * time.Second}
			inBubble(t, Options{}, endpoint, nil, func(t *testing.T, e *entry, s *Set) {
				got := make(chan error)
				go func() { _, err := acquired(e.acquire(t.Context())); got <- err }()
				pass(time.Millisecond)
				since := time.Now()
				end(e.cache, s)
				if err := <-got; err == nil || time.Since(since) != 0 {
					t.Errorf("after %s: %v", time.Since(since), err)
				}
				if _, err := acquired(e.acquire(t.Context())); err == nil || endpoint.count() != 1 {
					t.Errorf("%v after %d calls", err, endpoint.count())
				}
			})
		})
	}
}

func TestUseAfterClose(t *testing.T) {
	endpoint := &idp{}
	cache := New(Options{})
	cache.Close()
	set, err := cache.Use([]Credential{testCredential(endpoint)})
	if err != nil {
		t.Fatal(err)
	}
	_, _, _, err = set.acquire(t.Context(), testCredential(nil).id())
	if !errors.Is(err, errRetired) || endpoint.count() != 0 {
		t.Errorf("%v after %d calls", err, endpoint.count())
	}
}

// A rotation that finds a newer configuration with its secrets takes that
// one's token and leaves it its place, also at its own end; one that comes
// after the end takes no place.
func TestRotationTakesNoPlaceOfAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		endpoint := &idp{}
		cache := New(Options{})
		defer cache.Close()
		use := func(username string) (*Set, *entry) {
			t.Helper()
			cred := testCredential(endpoint)
			cred.Secrets.Username = secret.New(username)
			set, err := cache.Use([]Credential{cred})
			if err != nil {
				t.Fatal(err)
			}
			return set, set.entries[cred.id()]
		}
		old, e := use("old")
		wantToken(t, e, 1)
		newer, peer := use("new")
		want := wantToken(t, peer, 1)
		e.rotate(peer.secrets)
		if e.current.Load() != want || e.key != peer.key {
			t.Error("the rotated one has not taken the token over")
		}
		old.Release()
		if cache.entries[peer.key] != peer {
			t.Error("the newer one has lost its place")
		}
		newer.Release()
		e.rotate(testSecrets())
		if len(cache.entries) != 0 || len(cache.live) != 0 {
			t.Errorf("%d places taken after the end", len(cache.entries))
		}
	})
}
