package proxy

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A new replica goes on with the session of the fleet.
func TestReplicasShareASession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memoryStore{delay: 5 * time.Millisecond}
		a, _ := replica(t, store)
		if got := a.field(t.Context()); got != "" {
			t.Errorf("begins with %q", got)
		}
		start := time.Now()
		a.answer("s=1; Path=/")
		if time.Since(start) != 0 {
			t.Error("an answer waited for the store")
		}
		synctest.Wait()
		<-time.After(time.Second)
		b, heard := replica(t, store)
		if got := b.field(t.Context()); got != "s=1" {
			t.Errorf("the second replica sends %q", got)
		}
		// The later one wins, also where the other does not look again.
		b.answer("s=2; Path=/")
		<-time.After(time.Second)
		if got := store.Cookies(); !slices.Equal(got, []string{"s=2"}) {
			t.Errorf("the store has %v", got)
		}
		<-time.After(renewEvery)
		a.field(t.Context())
		<-time.After(time.Second)
		if got := a.field(t.Context()); got != "s=2" {
			t.Errorf("the first replica sends %q", got)
		}
		if heard.count("opened dataconnect.iqmetrix.net") != 1 {
			t.Errorf("told: %v", heard.lines)
		}
	})
}

func TestLoadHappensOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memoryStore{delay: 20 * time.Millisecond}
		s, _ := replica(t, store)
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() { s.field(t.Context()) })
		}
		all.Wait()
		for range 50 {
			s.field(t.Context())
		}
		if loads, writes := store.counts(); loads != 1 || writes != 0 {
			t.Errorf("%d loads, %d writes", loads, writes)
		}
	})
}

// A store that is slow, deaf or away delays the first request a little, and no
// other at all.
func TestBadStoresCostNothing(t *testing.T) {
	away := errors.New("away")
	tests := map[string]struct {
		store *memoryStore
		first time.Duration
	}{
		"away": {&memoryStore{err: away}, 0},
		"slow": {&memoryStore{delay: time.Hour}, storeBound},
		"deaf": {&memoryStore{delay: time.Minute, deaf: true}, storeBound},
	}
	for name, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			s, heard := replica(t, tt.store)
			start := time.Now()
			s.field(t.Context())
			if took := time.Since(start); took != tt.first {
				t.Errorf("%s: the first request waited %v", name, took)
			}
			<-time.After(2 * time.Minute)
			start = time.Now()
			for range 100 {
				s.answer("s=1; Path=/")
				if got := s.field(t.Context()); got != "s=1" {
					t.Errorf("%s: sends %q", name, got)
				}
			}
			if took := time.Since(start); took != 0 {
				t.Errorf("%s: later requests waited %v", name, took)
			}
			if loads, writes := tt.store.counts(); loads > 2 || writes > 1 {
				t.Errorf("%s: %d loads and %d writes at once", name, loads, writes)
			}
			// It comes back.
			tt.store.set(func() { tt.store.err, tt.store.delay = nil, 0 })
			for range 3 {
				<-time.After(2 * time.Minute)
				s.field(t.Context())
			}
			<-time.After(time.Second)
			if got := tt.store.Cookies(); !slices.Equal(got, []string{"s=1"}) {
				t.Errorf("%s: the store has %v in the end", name, got)
			}
			if name != "deaf" && heard.count("failed load") == 0 {
				t.Errorf("%s: nobody was told", name)
			}
		})
	}
}

func TestCallerNeedNotWaitForTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := replica(t, &memoryStore{delay: time.Hour})
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		start := time.Now()
		s.field(ctx)
		if took := time.Since(start); took != time.Millisecond {
			t.Errorf("waited %v", took)
		}
	})
}

// An upstream that changes its cookie with every answer costs one write a
// second, and the last value arrives.
func TestWritesAreGathered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memoryStore{}
		s, _ := replica(t, store)
		s.field(t.Context())
		for i := range 1000 {
			s.answer("s=" + string(rune('a'+i%26)) + "; Path=/")
			<-time.After(10 * time.Millisecond)
		}
		s.answer("s=last; Path=/")
		<-time.After(2 * time.Second)
		if _, writes := store.counts(); writes < 5 || writes > 13 {
			t.Errorf("%d writes in ten seconds", writes)
		}
		if got := store.Cookies(); !slices.Equal(got, []string{"s=last"}) {
			t.Errorf("the store has %v", got)
		}
	})
}

// A session in use is renewed, one that nobody uses is not.
func TestSessionsAreRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memoryStore{}
		s, _ := replica(t, store)
		s.field(t.Context())
		s.answer("s=1; Path=/")
		for range 60 {
			<-time.After(time.Minute)
			s.field(t.Context())
		}
		<-time.After(time.Second)
		_, used := store.counts()
		if used < 10 || used > 14 {
			t.Errorf("%d writes in an hour", used)
		}
		store.set(func() { store.known = nil }) // as after a flush
		<-time.After(10 * time.Minute)
		if _, writes := store.counts(); writes != used {
			t.Errorf("%d writes while nobody asked", writes-used)
		}
		s.field(t.Context())
		<-time.After(time.Second)
		if got := store.Cookies(); !slices.Equal(got, []string{"s=1"}) {
			t.Errorf("the store has %v after it was flushed", got)
		}
	})
}

// A refused session goes from the store, unless another has taken its place.
func TestRefusedSessionIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memoryStore{}
		s, heard := replica(t, store)
		n := s.of(testKey, testUpstream)
		n.ready(t.Context())
		_, nothing := n.cookies(testUpstream, "/")
		s.answer("s=1; Path=/")
		<-time.After(2 * time.Second)
		n.rejected(testUpstream, nothing)
		if got := s.field(t.Context()); got != "s=1" {
			t.Errorf("a request without a cookie ended the session: %q", got)
		}
		_, sent := n.cookies(testUpstream, "/")
		n.rejected(testUpstream, sent)
		n.rejected(testUpstream, sent) // a late one changes nothing
		if got := s.field(t.Context()); got != "" {
			t.Errorf("the replay carries %q", got)
		}
		<-time.After(2 * time.Second)
		if got := store.Cookies(); len(got) != 0 {
			t.Errorf("the store has %v", got)
		}
		s.answer("s=2; Path=/")
		n.rejected(testUpstream, sent)
		<-time.After(2 * time.Second)
		if got := store.Cookies(); !slices.Equal(got, []string{"s=2"}) {
			t.Errorf("the store has %v after a late refusal", got)
		}
		if heard.count("ended rejected") != 1 || heard.count("opened dataconnect.iqmetrix.net") != 2 {
			t.Errorf("told: %v", heard.lines)
		}
	})
}

func TestAccountsHaveTheirOwnSessions(t *testing.T) {
	s, _ := replica(t, nil)
	s.answer("s=1; Path=/")
	for _, key := range []SessionKey{
		{Environment: "sandbox", Service: "dataconnect", Credential: "retail"},
		{Environment: "production", Service: "crm", Credential: "retail"},
		{Environment: "production", Service: "dataconnect", Credential: "other"},
		{Environment: "production", Service: "dataconnect", Credential: "retail", Account: "b"},
		{Environment: "production", Service: "dataconnect", Credential: "retail", Upstream: "https://x"},
	} {
		if got, _ := s.of(key, testUpstream).cookies(testUpstream, "/"); got != "" {
			t.Errorf("%+v sends %q", key, got)
		}
	}
	if got := s.field(t.Context()); got != "s=1" {
		t.Errorf("sends %q", got)
	}
}

func TestUnusedSessionsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := replica(t, nil)
		for i := range 100 {
			s.of(SessionKey{Account: string(rune('0' + i))}, testUpstream)
			<-time.After(time.Minute)
		}
		s.of(SessionKey{}, testUpstream)
		if len(s.known) > 62 {
			t.Errorf("%d sessions kept", len(s.known))
		}
	})
}

func TestPanicsStayInTheBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memoryStore{panics: true}
		s, heard := replica(t, store)
		s.field(t.Context())
		synctest.Wait()
		if heard.count("panicked planted") != 1 {
			t.Errorf("told: %v", heard.lines)
		}
		s.answer("s=0; Path=/")
		synctest.Wait()
		if heard.count("panicked planted") != 2 {
			t.Errorf("told: %v", heard.lines)
		}
		store.set(func() { store.panics = false })
		<-time.After(time.Minute)
		s.field(t.Context())
		s.answer("s=1; Path=/")
		<-time.After(2 * time.Second)
		if got := store.Cookies(); !slices.Equal(got, []string{"s=1"}) {
			t.Errorf("the store has %v after a panic", got)
		}
	})
}

// After Close nothing begins, and requests still go on.
func TestClosedSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memoryStore{delay: time.Minute}
		s, _ := replica(t, store)
		s.answer("s=1; Path=/")
		s.Close()
		loads, writes := store.counts()
		s.answer("s=2; Path=/")
		if got := s.field(t.Context()); got != "s=2" {
			t.Errorf("sends %q", got)
		}
		if l, w := store.counts(); l != loads || w != writes {
			t.Error("the store was called after Close")
		}
		if _, err := s.of(testKey, testUpstream).read(t.Context(), nil, true); !errors.Is(err, errSessionsClosed) {
			t.Errorf("a session call after Close: %v", err)
		}
	})
}
