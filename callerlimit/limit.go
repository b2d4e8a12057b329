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

// parts is how a bound is divided among replicas.
type parts struct {
	whole int // at least one for each replica
	equal int // of one replica
	rest  int // what one keeps while it is at rest
}

func divide(bound, replicas int) parts {
	if replicas <= 1 {
		return parts{whole: bound, equal: bound, rest: bound}
	}
	whole := max(bound, replicas)
	return parts{whole: whole, equal: whole / replicas, rest: max(1, whole/(2*replicas))}
}
