package callerlimit

import (
	"math"
	"time"
)

// Limit is what one caller may do.
type Limit struct {
	// Tokens per Per is the rate of requests; 0 = no bound.
	Tokens int
	Per    time.Duration
	// Burst is how many requests may come at once; 0 = one second's worth, at
	// least one. It has no meaning without a rate.
	Burst int
	// Concurrency is how many requests may be under way; 0 = no bound.
	Concurrency int
}

// rate returns the tokens of a second, 0 = no bound.
func (l Limit) rate() float64 {
	if l.Tokens <= 0 || l.Per <= 0 {
		return 0
	}
	return float64(l.Tokens) / l.Per.Seconds()
}

// WithDefaults returns the limit as it counts: with a burst where there is a
// rate, and without one where there is none.
func (l Limit) WithDefaults() Limit {
	switch {
	case l.rate() == 0:
		l.Tokens, l.Per, l.Burst = 0, 0, 0
	case l.Burst <= 0:
		l.Burst = max(1, int(math.Ceil(l.rate())))
	}
	l.Concurrency = max(0, l.Concurrency)
	return l
}

// Parts is how a bound of the fleet is divided among replicas.
type Parts struct {
	Whole int // at least one for each replica
	Equal int // of one replica
	Rest  int // what one keeps while it is at rest
}

// Divide divides a bound. What a [Store] knows nothing of, it takes to hold Rest.
func Divide(bound, replicas int) Parts {
	if replicas <= 1 {
		return Parts{Whole: bound, Equal: bound, Rest: bound}
	}
	whole := max(bound, replicas)
	return Parts{Whole: whole, Equal: whole / replicas, Rest: max(1, whole/(2*replicas))}
}
