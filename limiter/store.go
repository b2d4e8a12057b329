package limiter

import (
	"context"
	"errors"
)

// ErrStoreAway is the error of a [Store] that did not even try, because it
// knows that what it is made of cannot be reached.
var ErrStoreAway = errors.New("the store of quotas is away")

// Key names a bucket. Its texts come from the configuration.
type Key struct {
	Environment string
	Service     string
	Policy      string // authenticated or anonymous
	// Counted is what the upstream counts by: a client, a credential, a group
	// of them, or "egress". It may hold a client id: never show it.
	Counted string
}

// Snapshot is what an operator sees of a bucket.
type Snapshot struct {
	Answer
	Callers []CallerState
	History []Closed // newest first, at most 60
	// Held is by whom and why the bucket is blocked by an operator.
	Held string
}

// CallerState is what the fleet knows of a caller in a bucket.
type CallerState struct {
	Caller  string         `json:"c"`
	Spent   int64          `json:"s"`
	Waiting int64          `json:"w"`
	Rate    [Classes]int64 `json:"r"` // arrivals per window, as forecast
}

// A Store keeps one [Shared] per bucket for the whole fleet and applies asks to
// it one after the other. It must be safe for concurrent use.
//
// Acquire is one trip and bounded by the store itself. After an error the ask
// may have been applied; to send it again with the same Seq is always right.
type Store interface {
	Acquire(ctx context.Context, key Key, ask Ask) (Answer, error)
	// View returns the bucket's state without changing it. callers are the names
	// to show; stores that hide names find only these.
	View(ctx context.Context, key Key, callers []string) (Snapshot, error)
	// Block has nothing granted until the instant, 0 = lifts the block.
	Block(ctx context.Context, key Key, until int64, reason string) error
}
