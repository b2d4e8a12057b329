package limiter

import (
	"net/http"
	"time"
)

// Kind is how much an answer says about its bucket's quota.
type Kind uint8

// The kinds of observation.
const (
	// Silent is an answer without any quota field. It says nothing: neither
	// that there is no limit nor that there is none left.
	Silent Kind = iota
	// Unusable is an answer whose quota fields cannot be meant. It changes no
	// estimate; its [Anomalies] say what was wrong.
	Unusable
	// LimitOnly is an answer that gives Limit, but not how much of it is used
	// in which window.
	LimitOnly
	// Windowed is an answer that gives Limit and Remaining of a window that is
	// named by Reset or bounded by ResetSeconds, or both.
	Windowed
)

// String returns the kind's name.
func (k Kind) String() string {
	switch k {
	case Silent:
		return "silent"
	case Unusable:
		return "unusable"
	case LimitOnly:
		return "limit_only"
	case Windowed:
		return "windowed"
	default:
		return "unknown"
	}
}

// An Observation is what one answer of an upstream says about the bucket that
// it was counted in. It is comparable with ==: its instants are in UTC and have
// no monotonic reading.
//
// Never make one from a stored answer: its numbers belong to a window that has
// passed.
type Observation struct {
	// Status is the answer's status code. An error's quota fields count as
	// much as a success's.
	Status int
	// Kind says which of the fields below up to HasResetSeconds are given; the
	// others of them are zero.
	Kind Kind

	// Limit is the bucket's limit in tokens, of LimitOnly and Windowed. It is
	// 0 only on a 429.
	Limit int64
	// Remaining is what is left in the window, in tokens, 0 to Limit. This
	// answer's request has been subtracted already.
	Remaining int64
	// Reset is the end of the window by the upstream's clock. It is the
	// window's name: compare it with the Reset of other answers, never with a
	// clock of ours. Zero = not given.
	Reset time.Time
	// ResetForm is how Reset was written.
	ResetForm ResetForm
	// ResetSeconds is the time to the window's end as the upstream saw it when
	// the request arrived, in seconds, rounded in an unknown way. See Boundary.
	ResetSeconds int64
	// HasResetSeconds tells a ResetSeconds of 0 from none.
	HasResetSeconds bool

	// Date is when the upstream made the answer, by its clock. Zero = not given.
	Date time.Time
	// RetryAfter is what the upstream asked for; see Wait.
	RetryAfter RetryAfter
	// Anomalies are what could not be meant, also beside usable fields.
	Anomalies Anomalies
}

// Refused reports whether the answer is a 429. Such a request was not executed,
// whatever its method.
func (o Observation) Refused() bool { return o.Status == http.StatusTooManyRequests }

// TellsReset reports whether a 429, received then, says usably when to come
// again: by Retry-After, or by a window that is used up. While the window has some
// left, the refusal is of another limit, of which the window's end tells nothing.
func (o Observation) TellsReset(received time.Time) bool {
	wait, given := o.Wait(received)
	return given && wait > 0 || o.Kind == Windowed && o.Remaining == 0
}

// Used returns how many tokens of the window are spent, by us and by others,
// with this answer's own. It means something for Windowed only.
func (o Observation) Used() int64 { return o.Limit - o.Remaining }

// Boundary returns between which instants the window ends, and false if the
// answer gave no ResetSeconds. The request was sent at sentLo or later and its
// answer received at receivedHi or earlier, by the clock that the result is
// wanted in.
func (o Observation) Boundary(sentLo, receivedHi time.Time) (Interval, bool) {
	if !o.HasResetSeconds {
		return Interval{}, false
	}
	return Boundary(sentLo, receivedHi, o.ResetSeconds), true
}

// Wait returns how long after received the upstream wants no further request,
// never below 0, and false if it did not say. The result is not capped: one
// stray value may be a year.
func (o Observation) Wait(received time.Time) (time.Duration, bool) {
	if !o.Date.IsZero() {
		// The upstream's own clock: its offset to ours cancels out.
		received = o.Date
	}
	return o.RetryAfter.wait(received), o.RetryAfter.Given
}
