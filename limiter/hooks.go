package limiter

import "time"

// RefusedKind says what an upstream's 429 was about. It serves as a metric
// label.
type RefusedKind string

// The kinds of 429.
const (
	RefusedExpected   RefusedKind = "expected"   // no more was left than the margin kept for others
	RefusedUnexpected RefusedKind = "unexpected" // tokens were left by our own count: the margin learns
	RefusedHidden     RefusedKind = "hidden"     // another limit than the advertised one, or requests at once
	RefusedLate       RefusedKind = "late"       // of a window that is over: changes nothing

	// refusedCurrent is expected or unexpected: the store tells which.
	refusedCurrent RefusedKind = "current"
)

// RequestInfo describes a request that has left a bucket's queue.
type RequestInfo struct {
	Bucket Name
	Caller string
	Class  Class
	Waited time.Duration
	// Held says that it went through only because the bucket is not enforced.
	Held bool
	// Reason is why it got no token, "" if it got one.
	Reason Reason
}

// AcquireInfo describes one trip to the store.
type AcquireInfo struct {
	Bucket   Name
	Duration time.Duration // 0 for a store in memory
	Err      error         // nil when it was answered; safe to log
	Answer   Answer        // zero where Err is set
}

// Hooks are called as things happen; nil funcs are skipped. They must be safe
// for concurrent use, must not block, and must not call the limiter.
type Hooks struct {
	// Left is called for each request that got a token or a refusal, also when
	// its caller left while it waited.
	Left func(RequestInfo)
	// Resent is called when the transport itself has sent a safe request again:
	// times more tokens were spent than the fleet had granted.
	Resent func(bucket Name, times int)
	// Returned is called when a token came back: nothing had been written.
	Returned func(bucket Name)
	// Repeated is called when a request waits again after the upstream's 429.
	Repeated func(bucket Name)
	// Anomalies is called for an answer with quota fields that cannot be meant.
	Anomalies func(bucket Name, found Anomalies)
	// UpstreamRefused is called for 429s of the upstream.
	UpstreamRefused func(bucket Name, kind RefusedKind, count int)
	// WindowClosed is called by the replica that brought the fleet into the next
	// window, so once in the fleet.
	WindowClosed func(bucket Name, record Closed)
	// Acquired is called for each trip to the store.
	Acquired func(AcquireInfo)
	// StoreState is called when the store stops answering for a bucket, with its
	// error, and when it answers again, with nil.
	StoreState func(bucket Name, err error)
	// Repaired is called when the store had lost what this replica knew.
	Repaired func(bucket Name)
	// Conflict is called when answers contradict when the window ends.
	Conflict func(bucket Name)
	// Panicked is called when the store panicked; the trip counts as failed.
	Panicked func(bucket Name, value any, stack []byte)
}

func (h *Hooks) left(info RequestInfo) {
	if h.Left != nil {
		h.Left(info)
	}
}

func (h *Hooks) resent(bucket Name, times int) {
	if h.Resent != nil {
		h.Resent(bucket, times)
	}
}

func (h *Hooks) returned(bucket Name) {
	if h.Returned != nil {
		h.Returned(bucket)
	}
}

func (h *Hooks) repeated(bucket Name) {
	if h.Repeated != nil {
		h.Repeated(bucket)
	}
}

func (h *Hooks) anomalies(bucket Name, found Anomalies) {
	if h.Anomalies != nil && found != 0 {
		h.Anomalies(bucket, found)
	}
}

func (h *Hooks) upstreamRefused(bucket Name, kind RefusedKind, count int) {
	if h.UpstreamRefused != nil && count > 0 {
		h.UpstreamRefused(bucket, kind, count)
	}
}

func (h *Hooks) windowClosed(bucket Name, record Closed) {
	if h.WindowClosed != nil {
		h.WindowClosed(bucket, record)
	}
}

func (h *Hooks) acquired(info AcquireInfo) {
	if h.Acquired != nil {
		h.Acquired(info)
	}
}

func (h *Hooks) storeState(bucket Name, err error) {
	if h.StoreState != nil {
		h.StoreState(bucket, err)
	}
}

func (h *Hooks) repaired(bucket Name) {
	if h.Repaired != nil {
		h.Repaired(bucket)
	}
}

func (h *Hooks) conflict(bucket Name) {
	if h.Conflict != nil {
		h.Conflict(bucket)
	}
}

func (h *Hooks) panicked(bucket Name, value any, stack []byte) {
	if h.Panicked != nil {
		h.Panicked(bucket, value, stack)
	}
}
