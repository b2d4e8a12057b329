package cache

import (
	"net/http"
	"strings"
	"time"
)

// ageOf returns how old an answer was when it came: corrected_initial_age of RFC
// 9111, section 4.2.3. The clocks of the upstream and of this replica need not
// agree; the more pessimistic reading counts. It keeps fractions of seconds: an
// age is rounded down once, when it is shown.
func ageOf(h http.Header, requested, received time.Time) time.Duration {
	apparent := received.Sub(dateOf(h, received))
	delay := bounded(received.Sub(requested))
	return max(bounded(apparent), bounded(ageValue(h)+delay))
}

// ageValue reads the field Age: the first member where there are several, and
// nothing where that is no number (RFC 9111, section 5.1).
func ageValue(h http.Header) time.Duration {
	first, _, _ := strings.Cut(h.Get("Age"), ",")
	age, ok := parseDelta(strings.Trim(first, " \t"))
	if !ok {
		return 0
	}
	return age
}

// currentAge returns how old a stored answer is at now: current_age of RFC 9111,
// section 4.2.3.
func currentAge(o *Object, now time.Time) time.Duration {
	return bounded(bounded(o.Age) + bounded(now.Sub(o.Received)))
}

// bounded keeps a time between 0 and maxDelta, so that sums do not overflow.
func bounded(d time.Duration) time.Duration { return min(max(d, 0), maxDelta) }
