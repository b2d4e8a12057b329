package callerlimit

import "time"

// Reason says which bound a request met. It serves as a metric label.
type Reason string

// The bounds.
const (
	ReasonRate        Reason = "rate"
	ReasonConcurrency Reason = "concurrency"
)

// Hooks are called as things happen; nil funcs are skipped. They must be safe
// for concurrent use and must not block.
type Hooks struct {
	// Refused is called for each request that met a bound.
	Refused func(caller string, reason Reason)
	// Asked is called after each trip to the store.
	Asked func(caller string, took time.Duration, err error)
	// StoreState is called when the store stops answering for a caller, with its
	// error, and when it answers again, with nil.
	StoreState func(caller string, err error)
	// Panicked is called when the store panicked; the trip counts as failed.
	Panicked func(caller string, value any, stack []byte)
}

func (h *Hooks) refused(caller string, reason Reason) {
	if h.Refused != nil {
		h.Refused(caller, reason)
	}
}

func (h *Hooks) asked(caller string, took time.Duration, err error) {
	if h.Asked != nil {
		h.Asked(caller, took, err)
	}
}

func (h *Hooks) storeState(caller string, err error) {
	if h.StoreState != nil {
		h.StoreState(caller, err)
	}
}

func (h *Hooks) panicked(caller string, value any, stack []byte) {
	if h.Panicked != nil {
		h.Panicked(caller, value, stack)
	}
}
