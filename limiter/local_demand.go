package limiter

import (
	"math"
	"slices"
	"time"
)

// demandOver is over how long arrivals are averaged. After as long without any,
// the past tells nothing of what comes.
const demandOver = 2 * time.Second

// demand is the rate of arrivals, as an average that forgets.
type demand struct {
	sum float64 // arrivals, each fading since it came; at the moment at
	at  moment
}

func (d *demand) add(m moment) {
	d.sum, d.at = d.faded(m)+1, m
}

func (d *demand) faded(m moment) float64 {
	if m-d.at > demandOver {
		return 0
	}
	return d.sum * math.Exp(-float64(m-d.at)/float64(demandOver))
}

// rate is how many come in a second. Just after an arrival the sum is too large
// by one half on average, so that a single one is no rate at all.
func (d *demand) rate(m moment) float64 {
	return max(0, d.faded(m)-0.5) / demandOver.Seconds()
}

// roundTrips are how long the upstream took for its last answers.
type roundTrips struct {
	took [32]time.Duration
	n    int
}

func (t *roundTrips) add(d time.Duration) {
	t.took[t.n%len(t.took)] = d
	t.n++
}

// quantile returns the time that percent of them did not exceed, 0 before the
// first answer.
func (t *roundTrips) quantile(percent int) time.Duration {
	n := min(t.n, len(t.took))
	if n == 0 {
		return 0
	}
	sorted := t.took
	slices.Sort(sorted[:n])
	return sorted[(n*percent+99)/100-1]
}
