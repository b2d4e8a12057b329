package tokencache

import (
	"cmp"
	"slices"
	"time"
)

// The pace of attempts with a credential that the endpoint refuses. The
// provider locks accounts after repeated failed logins; a locked account gets
// no token at all.
const (
	maxRefusals   = 3 // in one refusalWindow, for the whole fleet
	refusalWindow = time.Hour
	firstRefusal  = time.Minute
	secondRefusal = 10 * time.Minute

	// stopRefusals without a success end all attempts, until the secrets
	// change or an operator asks for another.
	stopRefusals = 2 * maxRefusals
)

// barred returns the earliest time of the next attempt after the given
// refusals, oldest first; stopped means that there is none.
func barred(refusals []Refusal) (until time.Time, stopped bool) {
	n := len(refusals)
	if n == 0 {
		return time.Time{}, false
	}
	last := refusals[n-1].At
	switch recent := recentRefusals(refusals, last); {
	case n >= stopRefusals:
		return time.Time{}, true
	case recent >= maxRefusals:
		return refusals[n-maxRefusals].At.Add(refusalWindow), false
	case recent == 2:
		return last.Add(secondRefusal), false
	default:
		return last.Add(firstRefusal), false
	}
}

// recentRefusals counts those of the hour before now.
func recentRefusals(refusals []Refusal, now time.Time) int {
	n := 0
	for _, r := range refusals {
		if now.Sub(r.At) < refusalWindow {
			n++
		}
	}
	return n
}

// uniteRefusals returns what either list knows, oldest first, without what
// happened until cleared. A time in the future (a clock was set back) counts
// as now: it must bar neither for years nor not at all. More than stopRefusals
// change nothing, the oldest go.
func uniteRefusals(mine, theirs []Refusal, cleared, now time.Time) []Refusal {
	var all []Refusal
	for _, r := range slices.Concat(mine, theirs) {
		r.At = past(r.At, now)
		known := slices.ContainsFunc(all, func(o Refusal) bool { return o.ID == r.ID })
		if !known && r.At.After(cleared) {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b Refusal) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID))
	})
	return all[max(0, len(all)-stopRefusals):]
}

// past returns at, read on the clock of now: times that were stored have no
// monotonic reading, and no wall clock is to be trusted twice.
func past(at, now time.Time) time.Time {
	if at.IsZero() {
		return at
	}
	return now.Add(-max(now.Sub(at), 0))
}
