package auth

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// fakeKeys answers the fetches of a key set.
type fakeKeys struct {
	text  []byte
	fresh time.Duration
	err   error
	takes time.Duration
	at    []time.Duration // of each fetch, since the start
	start time.Time
	panic bool

	mu sync.Mutex // of all the above, once it has begun
}

// times are when it was fetched.
func (f *fakeKeys) times() []time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.at)
}

// change changes what it answers.
func (f *fakeKeys) change(takes time.Duration, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.takes, f.err = takes, err
}

func (f *fakeKeys) fetch(ctx context.Context) ([]byte, time.Duration, error) {
	f.mu.Lock()
	f.at = append(f.at, time.Since(f.start))
	takes, err, panics := f.takes, f.err, f.panic
	f.panic = false
	f.mu.Unlock()
	if takes > 0 {
		select {
		case <-time.After(takes):
		case <-ctx.Done():
		}
	}
	if panics {
		panic("in a fetch")
	}
	return f.text, f.fresh, err
}

// begin runs a key set in the bubble until the test ends.
func (f *fakeKeys) begin(t *testing.T) *keySet {
	t.Helper()
	f.start = time.Now()
	sets := NewKeySets(KeySetHooks{})
	source := KeySource{Issuer: cluster}
	s := newKeySet(cluster, f.fetch, sets.hooks)
	s.users, sets.sets[source] = 1, s
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		sets.Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-ended
	})
	return s
}

func keySetText(t *testing.T, keys ...*issuerKey) []byte {
	t.Helper()
	var set jose.JSONWebKeySet
	for _, k := range keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: k.key.Public(), KeyID: k.id})
	}
	text, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Keys are fetched at the start, then every ten minutes, or as soon as the answer
// says, but not more often than once a minute; a tenth either way.
func TestKeySetIsFetchedInTime(t *testing.T) {
	for name, c := range map[string]struct{ fresh, every time.Duration }{
		"nothing said": {0, 10 * time.Minute},
		"an hour":      {time.Hour, 10 * time.Minute},
		"two minutes":  {2 * time.Minute, 2 * time.Minute},
		"one second":   {time.Second, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			text := keySetText(t, ecKey(t, "one"))
			synctest.Test(t, func(t *testing.T) {
				f := &fakeKeys{text: text, fresh: c.fresh}
				f.begin(t)
				<-time.After(5*c.every + c.every/2)
				times := f.times()
				if len(times) < 5 || len(times) > 7 || times[0] != 0 {
					t.Fatalf("fetched at %v", times)
				}
				for i, at := range times[1:] {
					if gap := at - times[i]; gap < c.every*9/10 || gap > c.every*11/10 {
						t.Errorf("%s after the one before, want %s", gap, c.every)
					}
				}
			})
		})
	}
}

// However many tokens name a key that nobody knows, they cause one fetch in 30
// seconds, and none of them waits.
func TestKeySetUnknownKeysDoNotFlood(t *testing.T) {
	text := keySetText(t, ecKey(t, "one"))
	synctest.Test(t, func(t *testing.T) {
		f := &fakeKeys{text: text}
		s := f.begin(t)
		synctest.Wait()
		f.change(5*time.Second, nil)
		for range 60 {
			for range 1000 {
				s.ask(time.Now())
				if table := s.keys(t.Context(), time.Now()); table == nil {
					t.Fatal("no keys")
				}
			}
			<-time.After(time.Second)
		}
		synctest.Wait()
		if times := f.times(); len(times) != 3 { // the first one, and two in the minute
			t.Errorf("fetched at %v", times)
		}
	})
}

// While the issuer is away its keys stay good for a day; then nobody can tell.
func TestKeySetOutlivesItsIssuer(t *testing.T) {
	text := keySetText(t, ecKey(t, "one"))
	synctest.Test(t, func(t *testing.T) {
		f := &fakeKeys{text: text}
		s := f.begin(t)
		synctest.Wait()
		f.change(0, errors.New("connection refused"))
		<-time.After(keySetWorth - time.Minute)
		if table := s.keys(t.Context(), time.Now()); table == nil || len(table.all) != 1 {
			t.Error("the keys were forgotten within a day")
		}
		if status := s.status(); status.Err == nil || status.Keys != 1 {
			t.Errorf("status %+v", status)
		}
		if n := len(f.times()); n > 24*60*2 {
			t.Errorf("%d fetches in a day", n)
		}
		<-time.After(10 * time.Minute)
		if s.keys(t.Context(), time.Now()) != nil {
			t.Error("keys that nobody has confirmed for more than a day are believed")
		}
		f.change(0, nil)
		<-time.After(keySetRetryMax * 11 / 10)
		if s.keys(t.Context(), time.Now()) == nil {
			t.Error("the issuer is back, its keys are not")
		}
	})
}

// Requests wait for the first keys of all, together and not for long; once a fetch
// has failed nobody waits.
func TestKeySetFirstKeys(t *testing.T) {
	text := keySetText(t, ecKey(t, "one"))
	tests := map[string]struct {
		takes time.Duration
		err   error
		want  bool
		waits time.Duration
	}{
		"in time":  {time.Second, nil, true, time.Second},
		"too late": {4 * time.Second, nil, false, keySetPatience},
		"in vain":  {time.Second, errors.New("forbidden"), false, time.Second},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fakeKeys{text: text, takes: c.takes, err: c.err}
				s := f.begin(t)
				var good, atOnce atomic.Int32
				start := time.Now()
				for range maxKeySetWaiting + 10 {
					go func() {
						if s.keys(t.Context(), time.Now()) != nil {
							good.Add(1)
						}
						if waited := time.Since(start); waited == 0 {
							atOnce.Add(1)
						} else if waited != c.waits {
							t.Errorf("waited %s", waited)
						}
					}()
				}
				<-time.After(3 * time.Second)
				synctest.Wait()
				if atOnce.Load() != 10 || (good.Load() == maxKeySetWaiting) != c.want || (good.Load() == 0) == c.want {
					t.Errorf("%d had keys, %d did not wait", good.Load(), atOnce.Load())
				}
				if n := len(f.times()); n != 1 && c.err == nil {
					t.Errorf("%d fetches", n)
				}
				if again := time.Now(); c.err != nil && (s.keys(t.Context(), again) != nil || time.Since(again) > keySetPatience) {
					t.Error("waited after a failure")
				}
			})
		})
	}
}

// A caller that leaves waits no longer.
func TestKeySetCallerLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeKeys{takes: time.Hour}
		s := f.begin(t)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		start := time.Now()
		if s.keys(ctx, start) != nil || time.Since(start) != 100*time.Millisecond {
			t.Errorf("waited %s", time.Since(start))
		}
		if s.waiting != 0 {
			t.Errorf("%d are said to wait", s.waiting)
		}
	})
}

// REL-37: a panic in a fetch ends neither the process nor the fetches.
func TestREL37KeySetPanics(t *testing.T) {
	text := keySetText(t, ecKey(t, "one"))
	synctest.Test(t, func(t *testing.T) {
		f := &fakeKeys{text: text, panic: true}
		s := f.begin(t)
		<-time.After(2 * time.Second)
		if s.keys(t.Context(), time.Now()) == nil || len(f.times()) != 2 {
			t.Errorf("fetched at %v", f.times())
		}
	})
}

// What a generation does not use any more is not kept; what the next one uses as
// well is not fetched anew.
func TestKeySetsOutliveGenerations(t *testing.T) {
	issuer, gone := newTestIssuer(t, cluster), newTestIssuer(t, "https://gone.example")
	v := newVerifier(t, 2, issuer, gone)
	use := func(issuers ...*testIssuer) *Issuers {
		var all []Issuer
		for _, i := range issuers {
			all = append(all, Issuer{Name: i.name, Audience: "iqgateway", Keys: i.source()})
		}
		used, err := v.sets.Use(all)
		if err != nil {
			t.Fatal(err)
		}
		return used
	}
	next := use(issuer)
	v.used.Release()
	if known := v.sets.Status(); len(known) != 1 || known[0].Issuer != cluster || known[0].Fetched.IsZero() {
		t.Errorf("kept: %+v", known)
	}
	back := use(issuer, gone)
	next.Release()
	awaitAuth(t, "the one that was given up is fetched again", func() bool { return gone.asked.Load() == 2 })
	if asked := issuer.asked.Load(); asked != 1 {
		t.Errorf("the issuer that was always used was asked %d times", asked)
	}
	back.Release()
	if known := v.sets.Status(); len(known) != 0 {
		t.Errorf("kept: %+v", known)
	}
}
