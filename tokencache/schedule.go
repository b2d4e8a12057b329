package tokencache

import "time"

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

// backoff doubles from first to most with each failure, less up to a half.
func backoff(failures int, first, most time.Duration, random float64) time.Duration {
	d := first << min(failures-1, 20)
	d = min(d, most)
	return d - time.Duration(random*float64(d)/2)
}
