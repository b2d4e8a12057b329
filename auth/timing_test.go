package auth

import (
	"context"
	"math"
	"runtime/debug"
	"slices"
	"testing"
	"time"
)

// The duration of a refusal must not tell how near a guess was. Samples are
// interleaved, the slowest tenth (the scheduler's) is cut, and Welch's t is
// compared with 5.
//
// A busy machine shows differences where there are none, now and then; a leak
// shows them always. One quiet attempt of many is enough therefore, and each
// has keys of its own, because a search may take longer for one digest than for
// another. TestComparisonDecides needs no clock, and runs everywhere.
const (
	attempts    = 12
	significant = 5
)

type find func(presented, time.Time) Reason

func TestRefusalTimeTellsNothing(t *testing.T) {
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

// The measurement must notice a comparison that ends at the first difference.
func TestRefusalTimeIsMeasured(t *testing.T) {
	worst := quietest(t, func(ring *keyring, key string) find {
		return func(p presented, now time.Time) Reason {
			same := 0
			for same < min(len(key), len(p.key)) && key[same] == p.key[same] {
				same++
			}
			if same == len(key) {
				return ""
			}
			_, reason := ring.find(context.Background(), p, now)
			return reason
		}
	})
	if worst < significant {
		t.Errorf("Welch |t| = %.1f although the comparison tells", worst)
	}
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
		key, _ := NewKey()
		ring := newKeyring([]Caller{{Name: "storefront", Keys: []Key{{ID: "1", Digest: DigestOf(key)}}}})
		worst = min(worst, worstT(build(ring, key), guesses(key)))
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

// guesses are wrong from the start, at the end, and altogether.
func guesses(key string) []presented {
	first, last := []byte(key), []byte(key)
	first[len(keyPrefix)]++
	last[len(last)-1]++
	unknown, _ := NewKey()
	return []presented{{key: string(first)}, {key: string(last)}, {key: unknown}, {caller: "storefront", key: unknown}}
}

func worstT(find find, guesses []presented) float64 {
	const rounds, batch = 3000, 8
	samples := make([][]float64, len(guesses))
	now := noon()
	for i := range rounds {
		for k := range guesses {
			g := (k + i) % len(guesses)
			since := time.Now()
			for range batch {
				if reason := find(guesses[g], now); reason != ReasonUnknown {
					return math.Inf(1)
				}
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
