package auth

import (
	"math"
	"slices"
	"testing"
	"time"
)

// The duration of a refusal must not tell how near a guess was. Samples are
// interleaved, the slowest tenth (the scheduler's) is cut, and Welch's t is
// compared with 5; a noisy machine gets three tries, a leak fails all.
func TestRefusalTimeTellsNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("needs some 100,000 samples")
	}
	key, _ := NewKey()
	ring := newKeyring([]Caller{{Name: "storefront", Keys: []Key{{ID: "1", Digest: DigestOf(key)}}}})
	first, last := []byte(key), []byte(key)
	first[5]++
	last[len(last)-1]++
	unknown, _ := NewKey()
	guesses := []presented{{key: string(first)}, {key: string(last)}, {key: unknown}, {caller: "storefront", key: unknown}}
	worst := math.Inf(1)
	for range 3 {
		worst = min(worst, worstT(ring, guesses))
		if worst < 5 {
			return
		}
	}
	t.Errorf("Welch |t| = %.1f between kinds of wrong keys", worst)
}

func worstT(ring *keyring, guesses []presented) float64 {
	const rounds, batch = 3000, 8
	samples := make([][]float64, len(guesses))
	now := noon()
	for i := range rounds {
		for k := range guesses {
			g := (k + i) % len(guesses)
			since := time.Now()
			for range batch {
				if _, reason := ring.find(guesses[g], now); reason != ReasonUnknown {
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

// A record in the map decides nothing by itself: the comparison does.
func TestComparisonDecides(t *testing.T) {
	ring := newKeyring(testCallers())
	ring.records[DigestOf("planted")] = ring.records[DigestOf("key-a")]
	if _, reason := ring.find(presented{key: "planted"}, noon()); reason != ReasonUnknown {
		t.Errorf("a key was accepted whose digest differs from its record's: %q", reason)
	}
	if _, reason := ring.find(presented{key: "key-a"}, noon()); reason != "" {
		t.Errorf("the true key was refused: %q", reason)
	}
}
