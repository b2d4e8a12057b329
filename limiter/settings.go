package limiter

import "time"

// BucketKind is what an upstream limits.
type BucketKind uint8

// The kinds of bucket.
const (
	// Window is so many requests per fixed window.
	Window BucketKind = iota
	// Concurrency is so many requests at once.
	Concurrency
)

// String returns the kind's name in the configuration.
func (k BucketKind) String() string {
	if k == Concurrency {
		return "concurrency"
	}
	return "window"
}

// Class is how urgent a request is.
type Class uint8

// The classes, most urgent first.
const (
	Interactive Class = iota // somebody looks at a screen
	Batch
	Background

	Classes = 3 // how many there are
)

// String returns the class's name.
func (c Class) String() string {
	switch c {
	case Interactive:
		return "interactive"
	case Batch:
		return "batch"
	default:
		return "background"
	}
}

// ClassOf returns the class of a name; what is unknown is background, which
// harms nobody.
func ClassOf(name string) Class {
	switch name {
	case "interactive":
		return Interactive
	case "batch":
		return Batch
	default:
		return Background
	}
}

// OnStoreError is what happens while the store is away.
type OnStoreError uint8

// The ways to do without the store.
const (
	// UseLocalShare takes a part of what the upstream says is left.
	UseLocalShare OnStoreError = iota
	// Deny refuses.
	Deny
	// Allow sends everything, for OpenFor at most; then UseLocalShare.
	Allow
)

// Amount is a part of a bucket: a percentage of its limit or a number of
// tokens. The zero value is none.
type Amount struct {
	Percent float64 `json:"p,omitempty"`
	Tokens  int64   `json:"t,omitempty"`
}

// None reports whether there is no amount.
func (a Amount) None() bool { return a.Percent == 0 && a.Tokens == 0 }

// Of returns the amount in tokens of a bucket of the given limit, rounded down
// and at most the limit.
func (a Amount) Of(limit int64) int64 {
	if a.Percent > 0 {
		return min(limit, int64(a.Percent*float64(limit)/100))
	}
	return min(limit, a.Tokens)
}

// Share is what one caller may count on in a bucket.
type Share struct {
	Caller    string `json:"c"`
	Guarantee Amount `json:"g"` // at least 1 token where it is not none
	Cap       Amount `json:"m"` // none = no cap
	Weight    int64  `json:"w"` // 1 or more
}

// Settings are the parameters of a bucket. They come from the configuration
// and travel with each [Ask]; the state outlives them.
type Settings struct {
	Kind BucketKind
	// Assume is the limit in tokens per AssumeWindow until the upstream's own
	// headers say otherwise; 0 = nothing is assumed. For a Concurrency bucket
	// the limit, if Max is none.
	Assume       int64
	AssumeWindow time.Duration
	// Max is the tokens of each window (slots of a Concurrency bucket) that the
	// fleet may use; 0 = all that the upstream allows.
	Max int64
	// Polite leaves room for others that use the same quota.
	Polite bool
	// Shares are those of single callers, sorted by caller; callers that are
	// not listed have weight 1 and nothing else.
	Shares []Share
	// Enforce false decides and counts, but never holds a request.
	Enforce bool
	// OnStoreError is what happens while the store is away.
	OnStoreError OnStoreError
	// MaxWait is how long a request may wait, by class; 0 = not at all.
	MaxWait [Classes]time.Duration
	// MaxWaitUnsafe is the upper bound for requests with an unsafe method.
	MaxWaitUnsafe time.Duration
}
