package storetest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"iqgateway/breaker"
)

// Fleet is what one test of the suite works with: independent handles on one
// state, as those of several replicas are. What lies in the state under other
// names than the test's does not matter.
type Fleet struct{ One, Other breaker.Store }

// Run checks that a store keeps the contract of [breaker.Store]. Its subtests
// run at the same time and take the store's real time, about a second.
func Run(t *testing.T, start func(t *testing.T) Fleet) {
	t.Helper()
	cases := map[string]func(*testing.T, *world){
		"nothing is known at first":             unknown,
		"an open breaker":                       opened,
		"an open breaker runs out":              runsOut,
		"a later end stays":                     laterEnd,
		"a higher step stays":                   higherStep,
		"a close ends an open time":             closed,
		"versions grow":                         versions,
		"forced states":                         forcedStates,
		"a forced state may be shortened":       forcedShorter,
		"an older order is too late":            olderOrder,
		"names are apart":                       apart,
		"claims are bounded":                    claims,
		"a claim is renewed":                    renewed,
		"a claim ends":                          ends,
		"a claim ends with a change":            endsWithChange,
		"a change without a state ends a claim": onlyEnds,
		"no claim while it is open":             openRefuses,
		"no claim once it is closed":            closedRefuses,
		"text of every kind":                    texts,
		"calls obey their context":              contexts,
	}
	for name, check := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := start(t)
			check(t, &world{one: f.One, other: f.Other, name: strings.ReplaceAll(t.Name(), " ", "_")})
		})
	}
}

// world is the fleet of one test and the name of its breaker.
type world struct {
	one, other breaker.Store
	name       string
}

func (w *world) apply(t *testing.T, s breaker.Store, c breaker.Change) breaker.Record {
	t.Helper()
	r, err := s.Apply(t.Context(), w.name, c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// load returns the record as the other replica sees it, zero if there is none.
func (w *world) load(t *testing.T) breaker.Record {
	t.Helper()
	all, err := w.other.Load(t.Context(), []string{"nobody", w.name, "nobody else"})
	if err != nil {
		t.Fatal(err)
	}
	if _, there := all[w.name]; len(all) > 1 || len(all) == 1 && !there {
		t.Fatalf("it has %v", all)
	}
	return all[w.name]
}

func (w *world) claim(t *testing.T, s breaker.Store, p breaker.Probe) (bool, breaker.Record) {
	t.Helper()
	granted, r, err := s.Claim(t.Context(), w.name, p)
	if err != nil {
		t.Fatal(err)
	}
	return granted, r
}

// about reports whether a duration is what it was, less what the test took.
func about(got, want time.Duration) bool { return got <= want && got > want-5*time.Second }

func pause(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
		t.Fatal(context.Cause(t.Context()))
	}
}

func contexts(t *testing.T, w *world) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := w.one.Load(ctx, []string{w.name})
	_, errApply := w.one.Apply(ctx, w.name, breaker.Change{State: breaker.Open, For: time.Minute})
	_, _, errClaim := w.one.Claim(ctx, w.name, breaker.Probe{ID: "p", Limit: 1, TTL: time.Minute})
	for _, err := range []error{err, errApply, errClaim} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	}
}
