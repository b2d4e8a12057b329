package limiter

import "time"

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
	o        LocalOptions
	sharesID int64

	base  time.Time // the moment 0
	now   moment
	clock storeClock

	queue  queue
	ledger ledger
	seen   sightings
	form   ResetForm
	formed bool // an answer had a Reset, written as form
	names  believable
	apart  int64 // while the length of windows is not known: how much names of one differ at most; 0 = the usual
	demand demand
	trips  roundTrips
	serial int64 // tokens taken since the start

	pool   lease
	window localWindow
	last   Answer
	heard  bool // last is the store's
	ask    asking
	alone  alone

	unnamed, refused, limitSeen int64 // as in [Ask]
	// paused is until when the upstream wants nothing (Retry-After), shut until
	// when it would refuse because its window is spent.
	paused, shut moment

	leaving, left bool
}

// lease is what the replica holds unspent.
type lease struct {
	tokens int64
	until  moment // exclusive
	taken  moment // when the last one was spent
}

// localWindow is what is known of the current window.
type localWindow struct {
	lo, hi moment // bounds of its end; 0 = unknown
}

// NewLocal returns the side of a replica that knows nothing yet.
func NewLocal(o LocalOptions) *Local {
	l := &Local{queue: newQueue(), o: o}
	l.SetSettings(o.Settings)
	return l
}

// Request is a request that wants a token. The first fields are its owner's.
type Request struct {
	Caller string
	Class  Class
	// Deadline is until when it may wait, MaxWait included. At or before the
	// time of arrival it waits for no window: it leaves at once, or after one
	// trip to the store (50 ms at most) where that may bring a token.
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

	queued queued
}

// Ticket is one token that was given to a request. Exactly one of
// [Local.Unsent], [Local.Answered] and [Local.Lost] ends its attempt; for a
// Concurrency bucket [Local.Closed] then gives the slot back. What comes twice
// is ignored.
type Ticket struct {
	// Waited is how long the request was in the queue.
	Waited time.Duration
	// Held says that the request would have been refused or held, if the bucket
	// were enforced.
	Held bool

	lane   *lane
	stamp  int64  // generation of the ledger
	serial int64  // how many tokens had been taken, this one included
	taken  moment // no earlier than which it was sent
	open   bool   // its attempt has not ended
	slot   bool   // it occupies a slot
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
	// is how. Opens is the time to the upper bound of the window's end, or to the
	// end of a block that is longer.
	Reset  time.Time
	Form   ResetForm
	Opens  time.Duration
	Window time.Duration
	// Blocked says that nothing is granted for longer than the window lasts: an
	// operator has blocked the bucket, or the upstream has asked to wait.
	Blocked bool
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
