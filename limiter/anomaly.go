package limiter

import "iter"

// An Anomaly is one way in which an answer's quota fields cannot be meant. The
// set is closed, so that its names can be labels of a metric.
type Anomaly uint8

// The anomalies, and what [Read] makes of them.
const (
	// AnomalyUnparsable is a quota field that is not a whole decimal number, or
	// a Reset in neither form or of no calendar day. Observation unusable.
	AnomalyUnparsable Anomaly = iota
	// AnomalyNegative is a number below 0. Observation unusable.
	AnomalyNegative
	// AnomalyRange is a number beyond 2^53-1 or a year before 2000, as
	// unset dates are written. Observation unusable.
	AnomalyRange
	// AnomalyRepeated is a quota field sent twice with different values.
	// Observation unusable.
	AnomalyRepeated
	// AnomalyIncomplete is a quota without its Limit, or with only one half of
	// count and window. Without a Limit the observation is unusable, with one
	// it is limit-only.
	AnomalyIncomplete
	// AnomalyZeroLimit is a limit of 0 on an answer other than 429: the request
	// was let through, so it is no limit (seen with a 200). Observation unusable.
	AnomalyZeroLimit
	// AnomalyRemainingAboveLimit is what it says. Observation unusable.
	AnomalyRemainingAboveLimit
	// AnomalyResetSecondsAbsurd is a ResetSeconds of more than two windows, or
	// of more than a day. Observation unusable.
	AnomalyResetSecondsAbsurd
	// AnomalyResetFar is a Reset that is days away from where Date and
	// ResetSeconds put it: day and month exchanged, or a stray value. Taking it
	// for a newer window would hand out quota. Observation unusable.
	AnomalyResetFar
	// AnomalyDateUnreadable is a Date that is no HTTP-date, or that is repeated
	// with different values. Date is taken as absent.
	AnomalyDateUnreadable
	// AnomalyRetryAfterUnreadable is a Retry-After that is neither seconds nor an
	// HTTP-date, or that is repeated with different values. It is taken as absent.
	AnomalyRetryAfterUnreadable
	// AnomalyRetryAfterAbsurd is a Retry-After of more than two windows, or of
	// more than 366 days. It is kept, cut to 366 days: the caller caps it.
	AnomalyRetryAfterAbsurd

	anomalies // how many there are
)

// String returns the anomaly's name as a metric label.
func (a Anomaly) String() string {
	switch a {
	case AnomalyUnparsable:
		return "unparsable"
	case AnomalyNegative:
		return "negative"
	case AnomalyRange:
		return "out_of_range"
	case AnomalyRepeated:
		return "repeated"
	case AnomalyIncomplete:
		return "incomplete"
	case AnomalyZeroLimit:
		return "zero_limit"
	case AnomalyRemainingAboveLimit:
		return "remaining_above_limit"
	case AnomalyResetSecondsAbsurd:
		return "reset_seconds_absurd"
	case AnomalyResetFar:
		return "reset_far"
	case AnomalyDateUnreadable:
		return "date_unreadable"
	case AnomalyRetryAfterUnreadable:
		return "retry_after_unreadable"
	case AnomalyRetryAfterAbsurd:
		return "retry_after_absurd"
	default:
		return "unknown"
	}
}

// Anomalies is a set of [Anomaly]; the zero value is the empty set. Sets
// compare with ==.
type Anomalies uint16

// AnomaliesOf returns the set of the given anomalies.
func AnomaliesOf(list ...Anomaly) Anomalies {
	var s Anomalies
	for _, a := range list {
		s |= 1 << a
	}
	return s
}

// Has reports whether a is in the set.
func (s Anomalies) Has(a Anomaly) bool { return s&(1<<a) != 0 }

// All yields the anomalies of the set, in the order of their constants.
func (s Anomalies) All() iter.Seq[Anomaly] {
	return func(yield func(Anomaly) bool) {
		for a := range anomalies {
			if s.Has(a) && !yield(a) {
				return
			}
		}
	}
}
