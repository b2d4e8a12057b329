package storetest

import (
	"context"
	"strings"
	"testing"
	"time"

	"iqgateway/cache"
)

// RunTier checks that a tier keeps the contract of [cache.Tier]. start returns
// three independent handles on one state, as those of three replicas are, which
// must be usable until the test ends. What else lies in the state does not
// matter. The subtests run at the same time and take real time, a few seconds.
//
// Beyond the words of [cache.Tier]:
//   - A value is replaced as a whole, and its age begins anew.
//   - Put with a ttl of 0 or less stores nothing.
//   - Put and Release with a token that is not the claim's leave that claim.
//   - A claim neither hides a value nor ends with one, and Delete leaves it.
//   - Alone and Claimed are told with a value and without.
func RunTier(t *testing.T, start func(t *testing.T) [3]cache.Tier) {
	t.Helper()
	cases := map[string]func(*testing.T, *shelf){
		"there is nothing at first":              tierEmpty,
		"a value comes back as it was put":       tierValues,
		"a value is replaced":                    tierReplaced,
		"names are apart":                        tierNames,
		"a value ends with its ttl":              tierTTL,
		"a value has an age":                     tierAge,
		"a value is deleted":                     tierDelete,
		"a value is never torn":                  tierTorn,
		"one claims, the others do not":          tierClaim,
		"one of a herd claims":                   tierHerd,
		"a claim ends with its value":            tierClaimPut,
		"a claim ends when it is released":       tierClaimRelease,
		"a claim ends with its time":             tierClaimTime,
		"a claim is renewed by its holder":       tierRenew,
		"a foreign token ends no claim":          tierForeign,
		"an overtaken claim ends no younger one": tierOvertaken,
		"a value stays while it is claimed":      tierClaimedValue,
		"answers that cannot be shared":          tierAlone,
		"calls obey their context":               tierContext,
	}
	for name, check := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, &shelf{t: t, tiers: start(t)})
		})
	}
}

// shelf is what one test of the suite works with; its calls must not fail.
type shelf struct {
	t     *testing.T
	tiers [3]cache.Tier
}

// long is longer than a test takes.
const long = time.Minute

// name returns one that no other test uses.
func (s *shelf) name(of string) string { return s.t.Name() + "\x00" + of }

func (s *shelf) get(tier int, name string) cache.Entry {
	s.t.Helper()
	e, err := s.tiers[tier].Get(s.t.Context(), s.name(name))
	s.must("get", err)
	return e
}

func (s *shelf) put(tier int, name, value string, ttl time.Duration, token string) {
	s.t.Helper()
	s.must("put", s.tiers[tier].Put(s.t.Context(), s.name(name), []byte(value), ttl, token))
}

func (s *shelf) claim(tier int, name string, lasting time.Duration) (token string, ok bool) {
	s.t.Helper()
	token, ok, err := s.tiers[tier].Claim(s.t.Context(), s.name(name), lasting)
	s.must("claim", err)
	if ok && token == "" {
		s.t.Error("a claim without a token")
	}
	return token, ok
}

// claims takes a claim that must be free.
func (s *shelf) claims(tier int, name string, lasting time.Duration) (token string) {
	s.t.Helper()
	token, ok := s.claim(tier, name, lasting)
	if !ok {
		s.t.Fatal("nobody has the claim, and it was refused")
	}
	return token
}

func (s *shelf) renew(tier int, name, token string, lasting time.Duration) bool {
	s.t.Helper()
	ok, err := s.tiers[tier].Renew(s.t.Context(), s.name(name), token, lasting)
	s.must("renew", err)
	return ok
}

func (s *shelf) release(tier int, name, token string, alone time.Duration) {
	s.t.Helper()
	s.must("release", s.tiers[tier].Release(s.t.Context(), s.name(name), token, alone))
}

func (s *shelf) must(what string, err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("%s: %v", what, err)
	}
}

// want compares what all handles see under a name. The age is not compared.
func (s *shelf) want(name string, want cache.Entry) {
	s.t.Helper()
	for i := range s.tiers {
		got := s.get(i, name)
		if string(got.Value) != string(want.Value) || (got.Value == nil) != (want.Value == nil) ||
			got.Claimed != want.Claimed || got.Alone != want.Alone {
			s.t.Errorf("handle %d sees %s, want %s", i, show(got), show(want))
		}
	}
}

func show(e cache.Entry) string {
	words := []string{"nothing"}
	if e.Value != nil {
		words[0] = "a value of " + string(e.Value[:min(len(e.Value), 20)])
	}
	if e.Claimed {
		words = append(words, "claimed")
	}
	if e.Alone {
		words = append(words, "alone")
	}
	return strings.Join(words, ", ")
}

// pause lets real time pass.
func pause(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
		t.Fatal(context.Cause(t.Context()))
	}
}

// eventually waits a few seconds for something to become true.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for until := time.Now().Add(5 * time.Second); !is(); pause(t, 5*time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("it never happened: %s", what)
		}
	}
}
