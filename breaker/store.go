package breaker

import (
	"context"
	"time"
)

// Store is what the fleet knows of its breakers. Everything in it is a hint
// that ends by itself; a store that forgets costs a few requests. It is safe for
// concurrent use; each call is one trip.
//
// Times are durations by the store's own clock.
type Store interface {
	// Load returns the records of those names that have one.
	Load(ctx context.Context, names []string) (map[string]Record, error)

	// Apply writes a change and returns the record after it. A record that is
	// open is not made to end earlier by another [Open], and keeps its step if
	// that is higher. A change of more than [Late] ago does not replace a record
	// that is younger.
	Apply(ctx context.Context, name string, c Change) (Record, error)

	// Claim asks for one of p.Limit probes, or renews the claim of p.ID. It is
	// refused while the record is closed, or open for some time yet. It ends
	// after p.TTL, or with the [Change] that names it. A record that does not
	// exist refuses nothing.
	Claim(ctx context.Context, name string, p Probe) (granted bool, r Record, err error)
}

// Lifted is the state of a record whose forced state was ended.
const Lifted State = "lifted"

// Late is from which age on an operator's order is compared with the one that
// the store has. One that is told at once holds, even if the store has moved to
// a server whose clock is behind.
const Late = 2 * time.Second

// Keep is how long a store remembers a record after it has ended, so that
// replicas that were cut off hear of it.
const Keep = 10 * time.Minute

// KeepLifted is how long it remembers that a forced state was ended: longer than
// any lasts, so that a replica that was cut off does not tell an ended one again.
const KeepLifted = forceMost

// Record is what the fleet knows of one breaker.
type Record struct {
	// Version grows with each change of this name, also after the store has
	// forgotten it; 0 = there is no record.
	Version uint64
	State   State         // Open, Closed or Lifted
	Left    time.Duration // until it ends: an open time, or a forced state; 0 = it has ended
	Age     time.Duration // since the state began
	Step    int           // how often the open time was doubled
	Reason  Reason
	By      string // replica or operator
	Why     string // an operator's words
}

// Change is what happened to a breaker.
type Change struct {
	// State is Open, Closed or Lifted; "" changes no record: it only ends a claim.
	// [Lifted] ends a forced state.
	State  State
	For    time.Duration // that it lasts
	Age    time.Duration // how long ago it was, where that decides; 0 = now
	Step   int
	Reason Reason
	By     string
	Why    string
	// Probe is the ID whose claim ends with the change.
	Probe string
}

// Probe is one request that finds out whether an upstream is well.
type Probe struct {
	ID    string
	Limit int
	TTL   time.Duration
}
