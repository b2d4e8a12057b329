package breaker

import (
	"context"
	"time"

	"iqgateway/internal/pathpattern"
)

// Upstream is one environment's service as a configuration describes it.
type Upstream struct {
	Key Key // without a Bucket
	// Origin is scheme and host of the upstream. What is known of another
	// origin is forgotten when it changes.
	Origin   string
	Settings Settings
	// Ping asks the upstream whether it is well; nil = only requests find out.
	// It is called about every OpenFor while the breaker is not closed, by one
	// replica of the fleet at a time, and its context ends after OpenFor or a
	// second, whichever is more. Danger: it costs the upstream's quota.
	Ping func(context.Context) error
}

// Settings are when a breaker opens, and for how long.
type Settings struct {
	// Window is the time over which results are counted; 0 = 30 s.
	Window time.Duration
	// MinRequests in the window before the ratio means anything; 0 = 20. As many
	// failures in a row open the breaker whatever came before them: a service
	// that was busy and well would otherwise fail for half a window.
	MinRequests int
	// FailureRatio of failures to results from which the breaker opens; 0 = 0.5.
	FailureRatio float64
	// OpenFor is how long it stays open at first, less 10 to 20 %; 0 = 1 s. It doubles with each
	// probe that the upstream fails. A probe that finds nobody there costs the
	// upstream nothing, so that the next one follows after OpenFor.
	OpenFor time.Duration
	// OpenForMax is where doubling ends; 0 = 30 s.
	OpenForMax time.Duration
	// HalfOpenProbes may run at once in the fleet, and succeed in a row before
	// the breaker closes; 0 = 1. Without a store, or while it does not answer,
	// each replica may run as many.
	HalfOpenProbes int
	// Failures is what counts as one.
	Failures Failures
	// Mistakes are answers that look like failures of the upstream and are those
	// of the request.
	Mistakes []Mistake
	// Throttle is about 429s that tell no reset.
	Throttle Throttle
}

// Failures says what counts as a failure; the zero value counts none.
type Failures struct {
	// Status: answers from 500, but for 501 and 505, which are about the
	// request's method and version, and 508, about the way to the upstream.
	Status bool
	// Timeout: [TimedOut].
	Timeout bool
	// Connect: [Unreachable] and [Broken].
	Connect bool
}

// Mistake is an answer to a request that was wrong.
type Mistake struct {
	Path   pathpattern.Pattern // matched on the raw path
	Status int
	Body   string // a text in the first 4 KiB of the body, in any case; "" = any body
}

// Throttle is when a bucket's throttle breaker opens.
type Throttle struct {
	Consecutive int           // 429s without a usable reset; 0 = 3
	OpenFor     time.Duration // 0 = 10 s
}

func (s Settings) withDefaults() Settings {
	s.Window = or(s.Window, 30*time.Second)
	s.MinRequests = or(s.MinRequests, 20)
	s.FailureRatio = or(s.FailureRatio, 0.5)
	s.OpenFor = or(s.OpenFor, time.Second)
	s.OpenForMax = max(or(s.OpenForMax, 30*time.Second), s.OpenFor)
	s.HalfOpenProbes = or(s.HalfOpenProbes, 1)
	s.Throttle.Consecutive = or(s.Throttle.Consecutive, 3)
	s.Throttle.OpenFor = or(s.Throttle.OpenFor, 10*time.Second)
	return s
}

func or[T int | float64 | time.Duration](v, fallback T) T {
	if v <= 0 {
		return fallback
	}
	return v
}
