package tokencache

import "time"

// failed adds an attempt that ended at now without an answer about the
// credential.
func (h History) failed(now time.Time, err *FetchError) History {
	h.Failures++
	h.FailedAt, h.AskedFor, h.LastError = now, err.retryAfter, err.Error()
	return h
}

// refused adds an attempt in which the endpoint refused the credential. The
// endpoint is alive: a row of failures ends.
func (h History) refused(r Refusal, err *FetchError) History {
	h.Refusals = uniteRefusals(h.Refusals, []Refusal{r}, time.Time{}, r.At)
	h.Failures, h.FailedAt, h.AskedFor = 0, time.Time{}, 0
	h.LastError = err.Error()
	return h
}

// granted forgets everything but when a 401 last led to a new token.
func (h History) granted() History { return History{ReplacedAt: h.ReplacedAt} }

// next returns the earliest time of the next attempt; stopped means that
// there is none. urgent means that callers are turned away meanwhile. random
// in [0,1) is drawn once per failure and replica.
func (h History) next(urgent bool, random float64) (at time.Time, stopped bool) {
	at, stopped = barred(h.Refusals)
	if stopped || h.Failures <= 0 {
		return at, stopped
	}
	first, most := calmFirst, calmMax
	if urgent {
		first, most = urgentFirst, urgentMax
	}
	wait := max(backoff(h.Failures, first, most, random), min(h.AskedFor, maxAskedFor))
	if again := h.FailedAt.Add(wait); again.After(at) {
		at = again
	}
	return at, false
}

// lastFailure returns when an attempt last brought no token.
func (h History) lastFailure() time.Time {
	at := h.FailedAt
	if n := len(h.Refusals); n > 0 && h.Refusals[n-1].At.After(at) {
		at = h.Refusals[n-1].At
	}
	return at
}

// merge unites what this process and the Store remember. What happened until
// cleared (the last success, or an operator's word) is forgotten.
func merge(mine, theirs History, cleared, now time.Time) History {
	out := mine
	if theirs.lastFailure().After(mine.lastFailure()) {
		out = theirs
	}
	out.Refusals = uniteRefusals(mine.Refusals, theirs.Refusals, cleared, now)
	out.FailedAt = past(out.FailedAt, now)
	if !out.FailedAt.After(cleared) {
		out.Failures, out.FailedAt, out.AskedFor = 0, time.Time{}, 0
	}
	if out.Failures <= 0 && len(out.Refusals) == 0 {
		out.LastError = ""
	}
	out.ReplacedAt = past(latest(mine.ReplacedAt, theirs.ReplacedAt), now)
	return out
}

func latest(times ...time.Time) time.Time {
	var last time.Time
	for _, t := range times {
		if t.After(last) {
			last = t
		}
	}
	return last
}
