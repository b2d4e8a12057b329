package breaker

import "iqgateway/internal/exchange"

// State is what a breaker does with requests.
type State string

// The states of a breaker, in the words of [exchange.Exchange.Breaker].
const (
	Closed   State = exchange.BreakerClosed   // requests pass
	Open     State = exchange.BreakerOpened   // requests are refused
	HalfOpen State = exchange.BreakerHalfOpen // a few requests pass, to find out
)

// Reason says why a breaker changed its state or refused a request. It serves
// as a metric label.
type Reason string

// Every reason.
const (
	ReasonFailures   Reason = "failures"   // too many requests failed
	ReasonThrottled  Reason = "throttled"  // too many 429s without a reset
	ReasonProbe      Reason = "probe"      // a probe failed
	ReasonForced     Reason = "forced"     // by an operator
	ReasonTime       Reason = "time"       // an open time or a forced state has ended
	ReasonProbing    Reason = "probing"    // as many probes run as may
	ReasonRecovering Reason = "recovering" // the load grows in steps
	ReasonRecovered  Reason = "recovered"  // probes succeeded
	ReasonPing       Reason = "ping"       // the active probe succeeded
	ReasonReset      Reason = "reset"      // by an operator
)

// Transition tells of a change of state.
type Transition struct {
	Key      Key
	From, To State
	Reason   Reason
	// By is the replica or the operator that did it.
	By string
}

// Refusal tells of a refused request.
type Refusal struct {
	Key    Key
	State  State
	Reason Reason
	// Late says that the request had waited for quota already.
	Late bool
}

// Result is how a request ended for its breaker. It serves as a metric label.
type Result string

// Every result.
const (
	Success  Result = "success"
	Failure  Result = "failure"
	Excluded Result = "excluded" // counts as nothing
)

// Counted tells of a request that has ended.
type Counted struct {
	Key    Key
	Result Result
	// Cause of a failure: 5xx, timeout, connect, broken or 429.
	Cause string
	Probe bool // it was one
}

// Hooks are called as things happen; nil funcs are skipped. They must be safe
// for concurrent use, must not block, and must not call back.
type Hooks struct {
	Transition func(Transition)
	Refused    func(Refusal)
	Counted    func(Counted)
	// StoreState is called when the store stops answering, with its error, and
	// when it answers again, with nil.
	StoreState func(error)
	// Panicked is called when the store or a ping panicked; it counts as failed.
	Panicked func(value any, stack []byte)
}

func (h *Hooks) transition(t Transition) {
	if h.Transition != nil {
		h.Transition(t)
	}
}

func (h *Hooks) refused(r Refusal) {
	if h.Refused != nil {
		h.Refused(r)
	}
}

func (h *Hooks) counted(c Counted) {
	if h.Counted != nil {
		h.Counted(c)
	}
}

func (h *Hooks) storeState(err error) {
	if h.StoreState != nil {
		h.StoreState(err)
	}
}

func (h *Hooks) panicked(value any, stack []byte) {
	if h.Panicked != nil {
		h.Panicked(value, stack)
	}
}
