package limiter

import (
	"net/http"
	"time"
)

// LocalOptions configure a [Local].
type LocalOptions struct {
	Replica  string // random, new for each start of a process
	Settings Settings
	// Random returns numbers in [0,1), for jitter; nil = none.
	Random func() float64
	// Fleet returns how many replicas were alive last; nil = 1. It is asked
	// while the store is away.
	Fleet func() int
}

// Local is one replica's side of a bucket: the tokens it holds, the requests
// that wait and those that are under way. It is pure: it reads no clock, starts
// nothing and does not lock. Every method takes the time, which must not go
// back and whose monotonic reading is used.
//
// Its user makes the trips: when [Local.Ask] has one, it carries it to the
// store and gives the outcome to [Local.Answer] or [Local.Failed]. At most one
// is under way; what comes meanwhile waits for the next (group commit).
type Local struct {
	o LocalOptions
}

// NewLocal returns the side of a replica that knows nothing yet.
func NewLocal(o LocalOptions) *Local { return &Local{o: o} }

// Request is a request that wants a token. The first fields are its owner's.
type Request struct {
	Caller string
	Class  Class
	// Deadline is until when it may wait, MaxWait included. At or before the
	// time of arrival: it does not wait at all.
	Deadline time.Time
	// Again says that it had a token and the upstream refused it: it is put
	// before the others of its caller and class.
	Again bool
	// Granted is called when the request leaves the queue with a ticket, Refused
	// when it leaves it without. Exactly one of them is called, once, from
	// within a method of Local, and must not call Local. Local keeps nothing of a
	// Request that has left: its owner may use it for another.
	Granted func(*Ticket)
	Refused func(*Refusal)
}

// Ticket is one token that was given to a request. Exactly one of
// [Local.Unsent], [Local.Answered] and [Local.Lost] ends its attempt; for a
// Concurrency bucket [Local.Closed] then gives the slot back.
type Ticket struct {
	// Waited is how long the request was in the queue.
	Waited time.Duration
	// Held says that the request would have been refused or held, if the bucket
	// were enforced.
	Held bool
}

// Reason is why a request got no token.
type Reason string

// The reasons.
const (
	ReasonETA      Reason = "eta"      // its turn would come too late
	ReasonFull     Reason = "full"     // too many wait already
	ReasonDeadline Reason = "deadline" // it has waited as long as it may
	ReasonNoWait   Reason = "no_wait"  // it would have to wait and must not
	ReasonStore    Reason = "store"    // the store is away and the bucket is set to deny
	ReasonLeft     Reason = "cancel"   // its caller has left
)

// Refusal is the answer to a request that gets no token.
type Refusal struct {
	Reason Reason
	// RetryAfter is when a token can be expected, jittered, never before the
	// window opens.
	RetryAfter time.Duration
	View       View
	Waited     time.Duration
}

// View is what one caller sees of a bucket now.
type View struct {
	Known bool // an answer of the upstream has told
	Mode  Mode
	Limit int64 // of the bucket, as the fleet may use it
	// Remaining is what this caller could still get of the window.
	Remaining int64
	// Reset is the window's name as the upstream writes it, zero if unknown; Form
	// is how. Opens is the time to the upper bound of the window's end.
	Reset  time.Time
	Form   ResetForm
	Opens  time.Duration
	Window time.Duration
	// Share is the caller's own: its guarantee or, where it has none, its fair
	// part; Cap is 0 where there is none.
	Share, ShareRemaining, Cap int64
	// Limiting says that the caller's cap, not the bucket, is what holds it.
	Limiting bool
	// External is what others than this fleet have used, Top who of the fleet
	// has used most.
	External int64
	Top      []Usage
}

// Arrive takes a request. It calls Granted or Refused before it returns, or
// keeps the request in the queue.
func (l *Local) Arrive(now time.Time, r *Request) { panic("not yet") }

// Leave takes a request out of the queue, because its caller has left; it calls
// nothing. It reports false if the request is not in the queue any more.
func (l *Local) Leave(now time.Time, r *Request) bool { panic("not yet") }

// Unsent gives the token back: nothing was written to the upstream.
func (l *Local) Unsent(now time.Time, t *Ticket) { panic("not yet") }

// Answered learns from an answer's header. receivedAt is when it came.
func (l *Local) Answered(now time.Time, t *Ticket, o Observation) { panic("not yet") }

// Lost notes that no answer will come; the upstream may have counted the
// request, or may still.
func (l *Local) Lost(now time.Time, t *Ticket) { panic("not yet") }

// Closed gives back the slot of a Concurrency bucket: the answer's body has
// ended.
func (l *Local) Closed(now time.Time, t *Ticket) { panic("not yet") }

// Ask returns what to tell the store now, and false if there is nothing to tell
// or an Ask is under way. A failed one is returned again, with the same Seq,
// while that makes sense.
func (l *Local) Ask(now time.Time) (Ask, bool) { panic("not yet") }

// Answer takes the store's answer to the Ask that was sent at the given time.
func (l *Local) Answer(now, sent time.Time, ask Ask, a Answer) { panic("not yet") }

// Failed notes that the Ask got no answer: it may have been applied.
func (l *Local) Failed(now, sent time.Time, ask Ask) { panic("not yet") }

// Tick does what is due: it refuses requests whose patience ends and spends what
// time has brought.
func (l *Local) Tick(now time.Time) { panic("not yet") }

// Wake returns when Tick or Ask is due next, zero if never.
func (l *Local) Wake() time.Time { panic("not yet") }

// View shows the bucket to a caller.
func (l *Local) View(now time.Time, caller string) View { panic("not yet") }

// SetSettings replaces the parameters, as a reload does.
func (l *Local) SetSettings(s Settings) { panic("not yet") }

// Leaving has the next Ask give everything back; nothing is granted after it.
func (l *Local) Leaving(now time.Time) { panic("not yet") }

// Idle reports whether nothing waits, is under way, is held or is to be told.
func (l *Local) Idle() bool { panic("not yet") }

// Unused keeps the import of what the contract speaks of.
var _ = http.StatusTooManyRequests
