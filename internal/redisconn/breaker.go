package redisconn

import "time"

const (
	// failuresToOpen in a row mean that the server is away. One may be a lost
	// connection.
	failuresToOpen = 3
	// stalledCalls may wait for a server that has fallen silent; at 500
	// requests per second many more would start before the first times out.
	stalledCalls = 8
)

// breaker judges one client by the results of its calls. It only ever opens: a
// server that was lost is met again with a new client, so that no connection
// to a demoted master or through a dead path survives. Not safe for concurrent
// use.
type breaker struct {
	// patience is how long a server with waiting calls may say nothing.
	patience time.Duration

	failures int
	waiting  int
	silent   time.Time // last answer, or the start of waiting if that is later
}

// patienceParts of a timeout is how long many calls may wait without any answer.
const patienceParts = 4

func newBreaker(timeout time.Duration) breaker {
	return breaker{patience: timeout / patienceParts}
}

// enter reports whether one more call may be sent.
func (b *breaker) enter(now time.Time) bool {
	// A failed call gives its place to nobody: the next would wait as long.
	if b.waiting+b.failures >= stalledCalls && now.Sub(b.silent) > b.patience {
		return false
	}
	if b.waiting == 0 {
		b.silent = now
	}
	b.waiting++
	return true
}

// leave records the result of a call that entered, and reports whether the
// server is away.
func (b *breaker) leave(now time.Time, v verdict) (away bool) {
	b.waiting--
	switch v {
	case verdictFine:
		b.failures = 0
		b.silent = now
	case verdictWeak:
		b.failures++
	case verdictGone:
		b.failures = failuresToOpen
	case verdictNeutral:
	}
	return b.failures >= failuresToOpen
}
