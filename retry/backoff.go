package retry

import (
	"net/http"
	"time"

	"iqgateway/internal/exchange"
)

const (
	// baseWait is the longest wait before the first repetition; it doubles from
	// there. An upstream that restarts or has lost one server of several answers
	// again within a few of these.
	baseWait = 100 * time.Millisecond
	maxWait  = 2 * time.Second
	// maxRetryAfter is the longest Retry-After that is waited for here. Who is
	// asked to wait longer can do so without holding anything of the gateway's.
	maxRetryAfter = 5 * time.Second
)

// backoff returns the wait before the repetition that follows attempt n, from 1
// on: full jitter, so that those who failed together do not come back together.
func backoff(n int, random float64) time.Duration {
	longest := maxWait
	if n < 16 { // beyond, the shift would overflow in the end
		longest = min(longest, baseWait<<(n-1))
	}
	return time.Duration(random * float64(longest))
}

// retryAfter reads what an answer asks for: the longest of its readable
// Retry-After fields, by the upstream's own clock where it tells its time.
func retryAfter(h http.Header, now time.Time) time.Duration {
	wait := time.Duration(0)
	for _, value := range h["Retry-After"] {
		after, _ := exchange.ParseRetryAfter(value)
		wait = max(wait, after.WaitBy(h.Get("Date"), now))
	}
	return wait
}
