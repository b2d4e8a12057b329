package limiter

import (
	"time"

	"iqgateway/internal/exchange"
)

// RetryAfter is a Retry-After field (RFC 9110 section 10.2.3). The provider
// documents none; proxies in front of its services send it.
type RetryAfter struct {
	// Given tells a Retry-After of 0 seconds from none.
	Given bool
	// Delay is the time from the answer on, at most 366 days.
	Delay time.Duration
	// At is set instead of Delay if the field was an HTTP-date, by the
	// upstream's clock.
	At time.Time
}

// wait returns the time that is left from the answer's own instant on.
func (r RetryAfter) wait(answered time.Time) time.Duration {
	if r.At.IsZero() {
		return r.Delay
	}
	return max(0, r.At.Sub(answered))
}

func (o *Observation) readRetryAfter(values []string, window time.Duration) {
	text, given, ok := only(values)
	if !given {
		return
	}
	if ok {
		o.RetryAfter, ok = parseRetryAfter(text)
	}
	if !ok {
		o.Anomalies |= AnomaliesOf(AnomalyRetryAfterUnreadable)
		return
	}
	// A date without the upstream's Date cannot be judged here: no clock.
	if o.RetryAfter.At.IsZero() || !o.Date.IsZero() {
		if absurd(int64(o.RetryAfter.wait(o.Date)/time.Second), window) {
			o.Anomalies |= AnomaliesOf(AnomalyRetryAfterAbsurd)
		}
	}
	o.RetryAfter.Delay = min(o.RetryAfter.Delay, maxSeconds*time.Second)
}

func parseRetryAfter(text string) (RetryAfter, bool) {
	r, ok := exchange.ParseRetryAfter(text)
	return RetryAfter{Given: ok, Delay: r.Delay, At: r.At}, ok
}
