package auth

import (
	"context"
	"math"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"testing"
	"time"
)

// SEC-37: the duration of a refusal must not tell how near a guess was. 200,000
// samples of all kinds of guesses are interleaved, the slowest tenth (the
// scheduler's) is cut, and Welch's t is compared with 5.
//
// A search takes longer for one digest than for another, which tells nothing, so
// the samples of a kind are spread over many keys. A busy machine shows
// differences where there are none, now and then; a leak shows them always: one
// quiet attempt of several is enough. TestComparisonDecides needs no clock, and
// runs everywhere.
const (
	attempts    = 12
	significant = 5
	timedKeys   = 4096
	timedRounds = 33_400 // samples of each kind
)

type find func(presented, time.Time) Reason

func TestSEC37RefusalTimeTellsNothing(t *testing.T) {
	worst := quietest(t, func(ring *keyring, _ string) find {
		return func(p presented, now time.Time) Reason {
			_, reason := ring.find(context.Background(), p, now)
			return reason
		}
	})
	if worst >= significant {
		t.Errorf("Welch |t| = %.1f between kinds of wrong keys", worst)
	}
}

// The measurement must notice a comparison that ends at the first difference, and
// one that ends early for a caller that does not exist.
func TestSEC37RefusalTimeIsMeasured(t *testing.T) {
	for name, leak := range map[string]func(p presented, key string) bool{
		"first difference": func(p presented, key string) bool {
			same := 0
			for same < min(len(key), len(p.key)) && key[same] == p.key[same] {
				same++
			}
			return same == len(key)
		},
		"unknown caller": func(p presented, _ string) bool { return p.caller == "nobody" },
	} {
		worst := quietest(t, func(ring *keyring, key string) find {
			return func(p presented, now time.Time) Reason {
				if leak(p, key) {
					return ReasonUnknown
				}
				_, reason := ring.find(context.Background(), p, now)
				return reason
			}
		})
		if worst < significant {
			t.Errorf("%s: Welch |t| = %.1f although the comparison tells", name, worst)
		}
	}
}

// timed is a keyring and the guesses at its key, one of each kind.
type timed struct {
	find    find
	guesses []presented
}

// quietest returns the least |t| of several attempts.
func quietest(t *testing.T, build func(ring *keyring, key string) find) float64 {
	t.Helper()
	switch {
	case testing.Short():
		t.Skip("needs some 100,000 samples")
	case underRaceDetector():
		t.Skip("the race detector slows everything down more than a leak would: run it without -race")
	}
	worst := math.Inf(1)
	for range attempts {
		all := make([]timed, timedKeys)
		for i := range all {
			key, _ := NewKey()
			ring := newKeyring([]Caller{{Name: "storefront", Keys: []Key{{ID: "1", Digest: DigestOf(key)}}}})
			all[i] = timed{build(ring, key), guesses(key)}
		}
		worst = min(worst, worstT(all))
		if worst < significant {
			break
		}
	}
	return worst
}

func underRaceDetector() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// guesses are wrong from the start, at the end, and altogether; the latter also
// with the name of a caller that there is, and of one that there is not.
func guesses(key string) []presented {
	// Each is a text of its own: one that was just looked up would be quicker.
	changed := func(at int, by byte) string {
		guess := []byte(key)
		guess[at] ^= by
		return string(guess)
	}
	first, last := len(keyPrefix), len(key)-1
	unknown := func() string {
		key, _ := NewKey()
		return key
	}
	return []presented{
		{key: changed(first, 1)},
		{key: changed(last, 1)},
		{key: unknown()},
		{caller: "storefront", key: changed(last, 2)},
		{caller: "storefront", key: unknown()},
		{caller: "nobody", key: unknown()},
	}
}

func worstT(all []timed) float64 {
	const batch = 4
	kinds := len(all[0].guesses)
	samples := make([][]float64, kinds)
	now := noon()
	for range timedRounds {
		one := all[rand.N(len(all))]
		for _, g := range rand.Perm(kinds) {
			guess := one.guesses[g]
			if one.find(guess, now) != ReasonUnknown { // the first one fills the processor's caches
				return math.Inf(1)
			}
			since := time.Now()
			for range batch {
				_ = one.find(guess, now)
			}
			samples[g] = append(samples[g], float64(time.Since(since)))
		}
	}
	worst := 0.0
	for a := range samples {
		for b := range a {
			worst = max(worst, math.Abs(welch(crop(samples[a]), crop(samples[b]))))
		}
	}
	return worst
}

func crop(s []float64) []float64 {
	slices.Sort(s)
	return s[:len(s)*9/10]
}

func welch(a, b []float64) float64 {
	meanA, varA := moments(a)
	meanB, varB := moments(b)
	return (meanA - meanB) / math.Sqrt(varA/float64(len(a))+varB/float64(len(b)))
}

func moments(s []float64) (mean, variance float64) {
	for _, x := range s {
		mean += x
	}
	mean /= float64(len(s))
	for _, x := range s {
		variance += (x - mean) * (x - mean)
	}
	return mean, variance / float64(len(s)-1)
}
