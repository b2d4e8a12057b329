package exchange

import (
	"net/http"
	"time"
)

// MaxRetryAfter bounds the seconds of a Retry-After, so that no arithmetic on
// them overflows: more reads as one second more than it.
const MaxRetryAfter = 366 * 24 * time.Hour

// RetryAfter is a Retry-After field (RFC 9110 section 10.2.3).
type RetryAfter struct {
	// Delay is the time from the answer on.
	Delay time.Duration
	// At is set instead of Delay where the field was an HTTP-date, by the clock
	// of whoever wrote it.
	At time.Time
}

// ParseRetryAfter reads one field value in either of its forms: whole seconds
// or an HTTP-date. ok is false for everything else: signs, fractions, units.
func ParseRetryAfter(value string) (r RetryAfter, ok bool) {
	if seconds, ok := wholeNumber(value, int64(MaxRetryAfter/time.Second)+1); ok {
		return RetryAfter{Delay: time.Duration(seconds) * time.Second}, true
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return RetryAfter{}, false
	}
	return RetryAfter{At: at.UTC()}, true
}

// Wait returns the time that is left from the answer's own instant on: its Date
// where it has one, so that no two clocks are compared. It is never negative.
func (r RetryAfter) Wait(answered time.Time) time.Duration {
	if r.At.IsZero() {
		return r.Delay
	}
	return max(0, r.At.Sub(answered))
}

// WaitBy returns the time that is left by an answer's Date field, or from now on
// where that cannot be read.
func (r RetryAfter) WaitBy(date string, now time.Time) time.Duration {
	if at, err := http.ParseTime(date); err == nil {
		now = at
	}
	return r.Wait(now)
}

// wholeNumber reads decimal digits; whatever exceeds bound reads as bound.
func wholeNumber(text string, bound int64) (int64, bool) {
	n := int64(0)
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = min(n*10+int64(c-'0'), bound)
	}
	return n, text != ""
}
