package cache

import (
	"net/http"
	"time"
)

// Object is one stored answer. It is immutable, and its header and body are
// shared by all who read it.
type Object struct {
	Key      Key
	Selected string // of the request that it answers

	Status int
	Header http.Header // without what is never stored
	Body   []byte

	// Requested is when the request was sent, Received when its answer came, by
	// this replica's clock; a revalidation moves both.
	Requested time.Time
	Received  time.Time
	// Age is how old the answer was then (RFC 9111, section 4.2.3).
	Age time.Duration
	terms

	// Route is where it belongs, for invalidation.
	Route Route
	Tags  []string
	Vary  []string // request fields that the upstream's Vary names, canonical
	// Born is where the invalidations stood when its fetch began.
	Born Position

	// checked is a note of the index on the copy in memory.
	checked *checkedMark
}

// Route is a place in an upstream, as invalidations see it.
type Route struct {
	Service ServiceName
	Path    string // folded (pathpattern.Fold)
	Query   string // raw, for DropKey
}

// Position is a point in the order of invalidations.
type Position struct {
	// Local counts the events that this process has applied.
	Local uint64
	// Log and Seq are the fleet's: the log's name ("" = none) and the sequence
	// of the last event that was known.
	Log string
	Seq uint64
}
