package exchange

import "time"

// WaitKind is what was asked for before an attempt; its text is the name of the
// span.
type WaitKind string

// What an attempt needs.
const (
	WaitQuota WaitKind = "quota.acquire"
	WaitToken WaitKind = "token.get"
	WaitSlot  WaitKind = "slot.acquire" // told only where it was waited for, or refused
)

// Wait is something that was asked for before an attempt, as it is told
// afterwards: also when it was there at once.
type Wait struct {
	Kind WaitKind
	At   time.Duration // after the exchange had begun
	Took time.Duration
	// Result is a word of a closed set of the stage: of quota that of
	// [Exchange.QuotaResult]; of a token and a slot WaitReady, WaitWaited or
	// WaitFailed.
	Result string
	Failed bool // there is none: the attempt was not made

	Bucket           string // of quota: environment/service/policy
	Limit, Remaining int64  // of that bucket afterwards; both 0 = not known
	Generation       uint64 // of the token
	Link             Link   // the fetch that brought the token, if it was waited for
}

// Results of waiting for tokens and slots.
const (
	WaitReady  = "ready"
	WaitWaited = "waited"
	WaitFailed = "failed"
)

// maxWaits is how many of them are told of: four for each attempt that is.
const maxWaits = 4 * maxTries

// Waited notes w, which began at start.
func (ex *Exchange) Waited(start time.Time, w Wait) {
	if len(ex.Waits) < maxWaits {
		w.At = ex.Since(start)
		if ex.Waits == nil { // most attempts need quota and a token
			ex.Waits = make([]Wait, 0, 2)
		}
		ex.Waits = append(ex.Waits, w)
	}
}

// Since is when something began, after the exchange had; 0 where that is not known.
func (ex *Exchange) Since(start time.Time) time.Duration {
	if ex.Start.IsZero() {
		return 0
	}
	return max(0, start.Sub(ex.Start))
}
