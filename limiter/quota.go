package limiter

import (
	"net/http"
	"time"
)

// quota is the X-RateLimit-* fields of one answer, each read by itself.
type quota struct {
	limit, remaining, seconds count
	reset                     reset
}

func readQuota(header http.Header) quota {
	return quota{
		limit:     readCount(header[fieldLimit]),
		remaining: readCount(header[fieldRemaining]),
		seconds:   readCount(header[fieldResetSeconds]),
		reset:     readReset(header[fieldReset]),
	}
}

func (q quota) given() bool {
	return q.limit.given || q.remaining.given || q.seconds.given || q.reset.given
}

func (q quota) unreadable() Anomalies {
	return q.limit.bad | q.remaining.bad | q.seconds.bad | q.reset.bad
}

// implausible returns what readable fields cannot mean together.
func (q quota) implausible(status int, date time.Time, window time.Duration) Anomalies {
	found := zeroLimit(q.limit, status)
	if q.limit.usable() && q.remaining.usable() && q.remaining.value > q.limit.value {
		found |= AnomaliesOf(AnomalyRemainingAboveLimit)
	}
	if q.seconds.usable() && (absurd(q.seconds.value, window) || q.seconds.value > longestWindow) {
		found |= AnomaliesOf(AnomalyResetSecondsAbsurd)
	}
	return found | q.far(date, window)
}

// far compares Reset with the two other fields that tell when the window ends.
func (q quota) far(date time.Time, window time.Duration) Anomalies {
	if !q.reset.usable() || date.IsZero() {
		return 0
	}
	end, tolerance := date, dateTolerance
	switch {
	case !q.seconds.given: // anywhere in the window that follows
		tolerance += 2 * window
	case q.seconds.bad == 0 && q.seconds.value <= maxSeconds:
		end = date.Add(time.Duration(q.seconds.value) * time.Second)
	default:
		return 0 // refused already
	}
	if q.reset.at.Sub(end).Abs() > tolerance {
		return AnomaliesOf(AnomalyResetFar)
	}
	return 0
}

// zeroLimit reports a limit of 0 on an answer that was let through.
func zeroLimit(limit count, status int) Anomalies {
	if limit.usable() && limit.value == 0 && status != http.StatusTooManyRequests {
		return AnomaliesOf(AnomalyZeroLimit)
	}
	return 0
}

// absurd reports whether a time to wait is beyond two windows; one is the
// longest that can be meant, and rounding or a slow answer may add to it.
func absurd(seconds int64, window time.Duration) bool {
	if seconds > maxSeconds {
		return true
	}
	return window > 0 && time.Duration(seconds)*time.Second > 2*window
}
