package breaker

import (
	"time"

	"github.com/sony/gobreaker/v2"
)

// policy is when one breaker opens and for how long, whatever it counts.
type policy struct {
	window      time.Duration // of counting; 0 = without an end
	minRequests uint32
	ratio       float64 // 0 = only failures in a row open it
	openFor     time.Duration
	openForMax  time.Duration
	probes      int
	ramp        bool   // the load grows in steps after it has closed
	reason      Reason // of opening
}

// failures is the policy of the upstream's breaker.
func (s Settings) failures() policy {
	return policy{
		window: s.Window, minRequests: uint32(s.MinRequests), ratio: s.FailureRatio,
		openFor: s.OpenFor, openForMax: s.OpenForMax, probes: s.HalfOpenProbes, ramp: true, reason: ReasonFailures,
	}
}

// throttle is the policy of a bucket's breaker: nothing tells how long the
// upstream wants to be left alone, so that the time does not grow.
func (s Settings) throttle() policy {
	t := s.Throttle
	return policy{
		minRequests: uint32(t.Consecutive),
		openFor:     t.OpenFor, openForMax: t.OpenFor, probes: 1, reason: ReasonThrottled,
	}
}

// trips decides after a failure. Requests is of no use: it holds those that
// were excluded or are under way, too.
func (p *policy) trips(c gobreaker.Counts) bool {
	if c.ConsecutiveFailures >= p.minRequests {
		return true
	}
	results := c.TotalFailures + c.TotalSuccesses
	return p.ratio > 0 && results >= p.minRequests && float64(c.TotalFailures) >= p.ratio*float64(results)
}

// openTime is how long the breaker is open after so many doublings.
func (p *policy) openTime(step int) time.Duration {
	d := p.openFor
	for range step {
		if d >= p.openForMax/2 {
			return p.openForMax
		}
		d *= 2
	}
	return min(d, p.openForMax)
}
