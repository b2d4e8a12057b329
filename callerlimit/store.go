package callerlimit

import (
	"context"
	"time"
)

// Silence is after how long without an Ask a [Store] forgets what a replica
// holds. A replica in use asks several times as often, and does not trust for
// as long what it was given.
const Silence = 3 * time.Second

// Remember is for how long after an Ask a [Store] still knows something of the
// caller, unless it has lost it.
const Remember = 10 * time.Second

// Store is what the fleet holds of its callers' limits. It is safe for
// concurrent use; one call is one trip. Only its own clock counts.
type Store interface {
	// Ask tells what a replica holds of a caller's limit and returns what it
	// gets. After an error the store may have given it all the same: that is
	// lost until the next Ask.
	Ask(ctx context.Context, caller string, ask Ask) (Answer, error)
}

// Ask is what a replica holds and wants.
type Ask struct {
	Replica string
	Fleet   int // replicas that were alive last, at least 1
	// Known says that the replica was answered less than [Remember] ago. A store
	// that knows nothing all the same has lost it: it begins with an empty bucket,
	// and lends nobody more slots than one keeps at rest until all that hold some
	// have told so, for one [Silence].
	Known bool

	Rate        float64 // tokens a second; 0 = no bound
	Burst       int     // of the fleet; at least 1 where there is a rate
	Concurrency int     // of the fleet; 0 = no bound

	Have int // tokens that it holds, without those of Back
	Held int // tokens that it has had at most since its last answer, or keeps at rest if it had none
	Want int // tokens that it would like to get
	Back int // tokens that it gives back
	Debt int // tokens that it has made for itself while the store was away

	Slots int // that it holds; it takes no more before the answer
	Need  int // slots that it has a use for

	// Resting says that the replica holds no more than one keeps at rest, with
	// what it wants, and asks no more for now.
	Resting bool
}

// Answer is what the fleet gives.
type Answer struct {
	Granted int           // tokens, at most Want
	Wait    time.Duration // until the bucket has a token; 0 = it has one
	Slots   int           // that the replica may hold from now on, at least those of the Ask
	Due     int           // slots to which it is to come down, as others need some
}
