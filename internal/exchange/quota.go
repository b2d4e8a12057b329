package exchange

import (
	"context"
	"time"
)

// Who refused a request for quota, in Exchange.QuotaSource and in the field
// X-Quota-Source.
const (
	QuotaGateway  = "gateway"  // the request waited too long or could not wait
	QuotaUpstream = "upstream" // the upstream answered 429, which the caller gets
)

// What became of a request at the quota stage: Exchange.QuotaResult. A refusal
// has its reason there instead (eta, full, deadline, no_wait, store, cancel).
const (
	QuotaGranted = "granted" // at once
	QuotaWaited  = "waited"  // granted after a wait
	QuotaHeld    = "shadow"  // would have been refused or held, if the bucket were enforced
)

// QuotaToken is the token with which an attempt was let through to the stages
// below the quota. Who lets it wait there asks about it again.
type QuotaToken interface {
	// Void is called when the attempt's turn has come. It reports whether the
	// token must not be spent any more: its window is over, or the upstream has
	// asked to wait.
	Void() bool
	// Renew gives it back and waits for another, within the same time as before.
	// Its errors are those of the quota stage; there is no token after one.
	Renew(ctx context.Context) error
}

// QuotaView is what a caller may be shown of the bucket that counts its
// request. It is never more permissive than what the upstream has said.
type QuotaView struct {
	// Known says that the numbers below mean something: an answer of the
	// upstream, or the configuration, has told them.
	Known bool
	// Concurrency says that the bucket counts requests at once: it has no
	// window, and Remaining is the free slots.
	Concurrency bool
	Limit       int64
	// Remaining is what this caller could still get of the window.
	Remaining int64
	// Reset is the window's name as the upstream writes it, "" if unknown.
	Reset string
	// Opens is the time to the upper bound of the window's end, 0 if unknown;
	// Window is the window's length.
	Opens, Window time.Duration
	// Share is what the caller may count on (its guarantee, else its fair part,
	// at most its cap), 0 if unknown; ShareRemaining is what is left of it.
	Share, ShareRemaining int64
	// Limiting says that the caller's own cap, not the bucket, holds it.
	Limiting bool
}
