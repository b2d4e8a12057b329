package limiter

import (
	"math"
	"slices"
	"time"
)

// demandOver is over how long arrivals are averaged. It is long enough that one
// request alone does not make a rate of one a second.
const demandOver = 2 * time.Second

// demand is the rate of arrivals, as an average that forgets.
type demand struct {
	rate float64 // per second, at the moment at
	at   moment
}

func (d *demand) add(m moment) {
	d.rate = d.now(m) + 1/demandOver.Seconds()
	d.at = m
}

func (d *demand) now(m moment) float64 {
	if m <= d.at || d.rate == 0 {
		return d.rate
	}
	return d.rate * math.Exp(-float64(m-d.at)/float64(demandOver))
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

// p95 returns the 95th percentile, 0 before the first answer.
func (t *roundTrips) p95() time.Duration {
	n := min(t.n, len(t.took))
	if n == 0 {
		return 0
	}
	sorted := t.took
	slices.Sort(sorted[:n])
	return sorted[(n*95+99)/100-1]
}
