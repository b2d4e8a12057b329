package cache

import (
	"context"
	"errors"
	"time"
)

// ErrAway says that the shared store cannot be used now; carry on without it.
var ErrAway = errors.New("the cache's store is away")

// Tier is the second tier: values that all replicas share. Its values are
// opaque; whatever it cannot give back as it was put is a miss, never an error
// of the caller's request. All methods are bounded in time by the
// implementation (50 ms) and safe for concurrent use.
type Tier interface { //nolint:interfacebloat // a value and the claim to fetch it belong together
	// Get returns what stands under a name. name is the encoded key: an
	// implementation hides it.
	Get(ctx context.Context, name string) (Entry, error)
	// Claim makes the caller the only one in the fleet that fetches name, for
	// the given time or until Put or Release. ok is false while somebody else
	// has it. The token proves the claim.
	Claim(ctx context.Context, name string, lasting time.Duration) (token string, ok bool, err error)
	// Renew prolongs a claim that still stands.
	Renew(ctx context.Context, name, token string, lasting time.Duration) (ok bool, err error)
	// Put stores a value for ttl, and ends the claim of token; "" = there is none.
	Put(ctx context.Context, name string, value []byte, ttl time.Duration, token string) error
	// Release ends a claim without a value. alone says that the answer cannot
	// be shared: for the given time nobody is to wait for another's.
	Release(ctx context.Context, name, token string, alone time.Duration) error
	// Delete removes a value.
	Delete(ctx context.Context, name string) error
}

// Entry is what the tier has under a name.
type Entry struct {
	Value []byte // nil = nothing
	// Age is how long ago Value was put, by the store's clock: what was encoded
	// with it is older by that.
	Age     time.Duration
	Claimed bool // somebody fetches it now
	Alone   bool // answers were not to be shared lately
}

// Log is the order of invalidations that all replicas read. It belongs to the
// store that loses nothing to make room.
type Log interface {
	// Append adds events, in order, and returns the sequence of the last one
	// and the log's name.
	Append(ctx context.Context, events []Event) (Position, error)
	// Since returns what was added after a position. Lost says that some of it
	// is gone, or that the log is another one: everything that is older than
	// the answer must be dropped. It fails where the log cannot be written
	// either: then nobody could tell of a write.
	Since(ctx context.Context, p Position) (News, error)
}

// News is what a log has to tell.
type News struct {
	Position Position // Log and Seq
	Lost     bool
	Events   []Event
}
