package quotasim

import (
	"math"
	"math/rand/v2"
	"time"
)

// source draws the random numbers of one part of a run. Each part has its own,
// so that strategies which send at different times still meet the same demand.
type source struct{ *rand.Rand }

// The parts of a run that draw.
const (
	drawScenario = iota + 1
	drawDemand
	drawNetwork
	drawUpstream
	drawExternal
	drawStore
	drawLocal
)

func newSource(seed, part uint64) source {
	return source{rand.New(rand.NewPCG(seed, part))}
}

func (s source) chance(p float64) bool { return p > 0 && s.Float64() < p }

// between draws evenly from [lo, hi).
func (s source) between(lo, hi time.Duration) time.Duration {
	return lo + time.Duration(s.Float64()*float64(hi-lo))
}

// gap draws the time to the next event of a Poisson process.
func (s source) gap(perSecond float64) time.Duration {
	return time.Duration(s.ExpFloat64() / perSecond * float64(time.Second))
}

func (s source) logNormal(median time.Duration, sigma float64) time.Duration {
	return time.Duration(float64(median) * math.Exp(sigma*s.NormFloat64()))
}

// logBetween draws so that each order of magnitude is as likely.
func (s source) logBetween(lo, hi float64) float64 {
	return lo * math.Pow(hi/lo, s.Float64())
}

func pick[T any](s source, of ...T) T { return of[s.IntN(len(of))] }

// weighted draws an index; weights need not sum to 1. Without any weight all
// are as likely.
func (s source) weighted(weights []float64, n int) int {
	if len(weights) == 0 {
		return s.IntN(n)
	}
	var sum float64
	for _, w := range weights {
		sum += w
	}
	at := s.Float64() * sum
	for i, w := range weights {
		if at -= w; at < 0 {
			return i
		}
	}
	return len(weights) - 1
}
