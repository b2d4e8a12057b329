package tokencache

import (
	"slices"
	"time"
)

// Bounds of what is believed about a token's lifetime. The provider documents
// 12 hours "or less if revoked".
const (
	assumedLifetime = time.Hour      // of an answer without expires_in
	maxLifetime     = 24 * time.Hour // longer claims are cut
	maxLeeway       = 5 * time.Second
)

// The pace of attempts after failures.
const (
	calmFirst   = time.Second // while an old token still serves
	calmMax     = time.Minute
	urgentFirst = 100 * time.Millisecond // while callers are turned away
	urgentMax   = time.Second
	maxAskedFor = time.Minute // of a Retry-After that the endpoint sends

	maxRefusals   = 3 // in one refusalWindow: the upstream locks accounts
	refusalWindow = time.Hour
	firstRefusal  = time.Minute
	secondRefusal = 10 * time.Minute
)

// life is when a token was asked for, when it should be renewed and when it
// ends.
type life struct {
	issued  time.Time
	refresh time.Time
	expires time.Time
	leeway  time.Duration // what must be left of it to be sent
}

// newLife plans a token of the given lifetime. It counts from the moment of
// asking, as the endpoint may have taken long to answer. random in [0,1)
// spreads the renewals of several replicas.
func newLife(asked time.Time, lifetime, ahead time.Duration, random float64) life {
	lifetime = min(lifetime, maxLifetime)
	ahead = min(ahead, lifetime/2)
	ahead += time.Duration(random * float64(ahead) / 5)
	expires := asked.Add(lifetime)
	return life{
		issued:  asked,
		refresh: expires.Add(-ahead),
		expires: expires,
		leeway:  min(maxLeeway, lifetime/10),
	}
}

// left returns how long the token stays valid: the shorter of what the
// monotonic and the wall clock say. The first stands still while a machine is
// suspended, the second jumps.
func (l life) left(now time.Time) time.Duration {
	return min(l.expires.Sub(now), l.expires.Round(0).Sub(now.Round(0)))
}

// history is what happened since the last success, as far as the next attempt
// depends on it. It is a value: every change returns a new one.
type history struct {
	failures int       // in a row
	calm     time.Time // no attempt before, while a token serves
	urgent   time.Time // no attempt before, while none does
	refusals []time.Time
	barred   time.Time // no attempt before, because of refusals
}

// failed adds an attempt that ended at now without an answer about the
// credential. asked is the endpoint's own Retry-After, 0 = none.
func (h history) failed(now time.Time, asked time.Duration, random float64) history {
	h.failures++
	asked = min(max(asked, 0), maxAskedFor)
	h.calm = now.Add(max(backoff(h.failures, calmFirst, calmMax, random), asked))
	h.urgent = now.Add(max(backoff(h.failures, urgentFirst, urgentMax, random), asked))
	return h
}

// refused adds an attempt in which the endpoint refused the credential. The
// next ones come later and later, at most maxRefusals in a refusalWindow.
func (h history) refused(now time.Time) history {
	h.refusals = append(h.recentRefusals(now), now)
	switch n := len(h.refusals); {
	case n >= maxRefusals:
		h.barred = h.refusals[n-maxRefusals].Add(refusalWindow)
	case n == 2:
		h.barred = now.Add(secondRefusal)
	default:
		h.barred = now.Add(firstRefusal)
	}
	return h
}

func (h history) recentRefusals(now time.Time) []time.Time {
	kept := slices.Clone(h.refusals)
	return slices.DeleteFunc(kept, func(at time.Time) bool { return now.Sub(at) >= refusalWindow })
}

// next returns the earliest time of the next attempt.
func (h history) next(urgent bool) time.Time {
	at := h.calm
	if urgent {
		at = h.urgent
	}
	if h.barred.After(at) {
		at = h.barred
	}
	return at
}

// backoff doubles from first to most with each failure, less up to a half.
func backoff(failures int, first, most time.Duration, random float64) time.Duration {
	d := first << min(failures-1, 20)
	d = min(d, most)
	return d - time.Duration(random*float64(d)/2)
}
