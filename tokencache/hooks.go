package tokencache

import (
	"time"

	"iqgateway/internal/exchange"
)

// Reason says why a token was fetched.
type Reason string

// The reasons. They serve as metric labels.
const (
	ReasonFirst    Reason = "first"    // there was none
	ReasonExpired  Reason = "expired"  // the last one has expired
	ReasonAhead    Reason = "ahead"    // the current one is about to
	ReasonRejected Reason = "rejected" // an upstream answered 401 to it
	ReasonRotated  Reason = "rotated"  // the secrets have changed
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
	Duration   time.Duration // of the call
	Took       time.Duration // of the fetch from its beginning: with what it learned from other replicas before
	Generation uint64        // of the new token, counted within this process: the fleet gives it its own later; 0 = none
	Expires    time.Time     // of the new token
	Err        error         // nil when granted; safe to log
	// Exchange is the fetch's own: its Trace, the Link to the exchange that could
	// not go on without it (none where it was made ahead of time), when it began,
	// and the requests to the token endpoint as Tries. It changes no more.
	Exchange *exchange.Exchange
}

// RejectInfo describes a 401 that an upstream gave to one of our tokens.
type RejectInfo struct {
	ID         ID
	Service    string
	Generation uint64 // that was refused; 0 = the attempt carried no token any more
	Replayed   bool   // sent again with another token
	Exchange   *exchange.Exchange
}

// AdoptInfo describes a token that another replica had fetched and this one
// took over, with no call of the token endpoint.
type AdoptInfo struct {
	ID         ID
	Generation uint64
	Holder     string // the replica that fetched it
	Expires    time.Time
}

// RollbackInfo describes a Store that shows no higher a generation than it has
// shown before, and another token: an old state was restored, which is ignored, or the Store has
// lost its state and counts anew.
type RollbackInfo struct {
	ID         ID
	Generation uint64 // that it shows
	Seen       uint64 // that it has shown before
	Ignored    bool   // the token is older than the one seen before
}

// RefuseInfo describes a credential that the token endpoint has refused.
type RefuseInfo struct {
	ID       ID
	Refusals int       // since the last success or change of the secrets
	Next     time.Time // no attempt before
	Stopped  bool      // no attempt until the secrets change or an operator asks for one; Next is zero
}

// Hooks are called as things happen; nil funcs are skipped. They must be safe
// for concurrent use and must not call back into the cache's Close.
type Hooks struct {
	FetchDone     func(FetchInfo)
	Rejected      func(RejectInfo)
	Refused       func(RefuseInfo)
	Adopted       func(AdoptInfo)
	RolledBack    func(RollbackInfo)
	ClaimLost     func(ID)                                     // another replica claimed while this one was fetching
	StoreFailed   func(id ID, operation string, err error)     // operation: load, claim, grant, fail, accepted, forget; this replica went on alone
	Rotated       func(ID)                                     // the secrets have changed
	RereadFailed  func(ID, error)                              // secrets could not be re-read, the old ones stay; once per change of the error
	HistoryFailed func(ID, error)                              // the file of refusals could not be read or written
	Panicked      func(id ID, value any, stack []byte)         // a fetch or a re-reading panicked and was counted as failed
	Waited        func(id ID, waited time.Duration, err error) // a caller had to wait for a token
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

func (h Hooks) refused(info RefuseInfo) {
	if h.Refused != nil {
		h.Refused(info)
	}
}

func (h Hooks) adopted(info AdoptInfo) {
	if h.Adopted != nil {
		h.Adopted(info)
	}
}

func (h Hooks) rolledBack(info RollbackInfo) {
	if h.RolledBack != nil {
		h.RolledBack(info)
	}
}

func (h Hooks) claimLost(id ID) {
	if h.ClaimLost != nil {
		h.ClaimLost(id)
	}
}

func (h Hooks) storeFailed(id ID, operation string, err error) {
	if h.StoreFailed != nil {
		h.StoreFailed(id, operation, err)
	}
}

func (h Hooks) rotated(id ID) {
	if h.Rotated != nil {
		h.Rotated(id)
	}
}

func (h Hooks) rereadFailed(id ID, err error) {
	if h.RereadFailed != nil {
		h.RereadFailed(id, err)
	}
}

func (h Hooks) historyFailed(id ID, err error) {
	if h.HistoryFailed != nil {
		h.HistoryFailed(id, err)
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
