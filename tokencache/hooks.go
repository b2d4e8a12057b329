package tokencache

import "time"

// Reason says why a token was fetched.
type Reason string

// The reasons. They serve as metric labels.
const (
	ReasonFirst    Reason = "first"    // there was none
	ReasonExpired  Reason = "expired"  // the last one has expired
	ReasonAhead    Reason = "ahead"    // the current one is about to
	ReasonRejected Reason = "rejected" // an upstream answered 401 to it
)

// Outcome says how a fetch ended.
type Outcome string

// The outcomes. They serve as metric labels.
const (
	OutcomeGranted Outcome = "granted"
	OutcomeRefused Outcome = "refused" // the credential itself; repeating it could lock the account
	OutcomeFailed  Outcome = "failed"  // no answer about the credential; it is tried again
)

// FetchInfo describes one finished call of a token endpoint.
type FetchInfo struct {
	ID         ID
	Reason     Reason
	Outcome    Outcome
	Duration   time.Duration
	Generation uint64    // of the new token; 0 = none
	Expires    time.Time // of the new token
	Err        error     // nil when granted; safe to log
}

// RejectInfo describes a 401 that an upstream gave to one of our tokens.
type RejectInfo struct {
	ID         ID
	Service    string
	Generation uint64 // that was refused; 0 = the attempt carried no token any more
	Replayed   bool   // sent again with another token
}

// Hooks are called as things happen; nil funcs are skipped. They must be safe
// for concurrent use and must not call back into the cache's Close.
type Hooks struct {
	FetchDone    func(FetchInfo)
	Rejected     func(RejectInfo)
	RereadFailed func(ID, error)                              // secrets could not be re-read; the old ones stay
	Panicked     func(id ID, value any, stack []byte)         // a fetch panicked and was counted as failed
	Waited       func(id ID, waited time.Duration, err error) // a caller had to wait for a token
}

func (h Hooks) fetchDone(info FetchInfo) {
	if h.FetchDone != nil {
		h.FetchDone(info)
	}
}

func (h Hooks) rejected(info RejectInfo) {
	if h.Rejected != nil {
		h.Rejected(info)
	}
}

func (h Hooks) rereadFailed(id ID, err error) {
	if h.RereadFailed != nil {
		h.RereadFailed(id, err)
	}
}

func (h Hooks) panicked(id ID, value any, stack []byte) {
	if h.Panicked != nil {
		h.Panicked(id, value, stack)
	}
}

func (h Hooks) waited(id ID, waited time.Duration, err error) {
	if h.Waited != nil {
		h.Waited(id, waited, err)
	}
}
