package bulkhead

import "time"

// Reason says why a request got no slot of its upstream. It serves as a metric
// label.
type Reason string

// Why a request got no slot.
const (
	ReasonFull     Reason = "full"     // as many wait already as there are slots, or its place went to a caller with fewer
	ReasonNoWait   Reason = "no_wait"  // it must not wait (X-Gateway-Wait: 0)
	ReasonDeadline Reason = "deadline" // its deadline passed while it waited
	ReasonLeft     Reason = "left"     // its caller left while it waited
)

// UpstreamHooks are called as things happen at the slots of upstreams; nil
// funcs are skipped. They must be safe for concurrent use and must not block.
type UpstreamHooks struct {
	// Waited is called for a request that got a slot after a wait.
	Waited func(key Key, waited time.Duration)
	// Refused is called for a request that got none.
	Refused func(key Key, reason Reason, waited time.Duration)
}

func (h *UpstreamHooks) waited(key Key, waited time.Duration) {
	if h.Waited != nil {
		h.Waited(key, waited)
	}
}

func (h *UpstreamHooks) refused(key Key, reason Reason, waited time.Duration) {
	if h.Refused != nil {
		h.Refused(key, reason, waited)
	}
}

// MemoryHooks are called as memory runs out and comes back; nil funcs are
// skipped. They must be safe for concurrent use and must not block.
type MemoryHooks struct {
	// Changed is called when shedding begins and when it ends.
	Changed func(MemoryState)
	// Shed is called for each request that is refused.
	Shed func()
	// Panicked is called when a look at the memory panicked; the next one comes
	// as if nothing had happened.
	Panicked func(value any, stack []byte)
}

func (h *MemoryHooks) changed(s MemoryState) {
	if h.Changed != nil {
		h.Changed(s)
	}
}

func (h *MemoryHooks) shed() {
	if h.Shed != nil {
		h.Shed()
	}
}

func (h *MemoryHooks) panicked(value any, stack []byte) {
	if h.Panicked != nil {
		h.Panicked(value, stack)
	}
}
