package auth

import (
	"context"
	"time"

	"iqgateway/internal/exchange"
)

// method is one way to prove who calls. It must be safe for concurrent use.
type method interface {
	// accepts reports whether the credential is of this kind.
	accepts(p presented) bool
	// find returns the caller that the credential proves; Reason "" means
	// success. It never waits for another machine.
	find(ctx context.Context, p presented, now time.Time) (*exchange.Caller, Reason)
}

// methods are asked in turn; the first that accepts a credential decides.
type methods []method

func (m methods) find(ctx context.Context, p presented, now time.Time) (*exchange.Caller, Reason) {
	for _, one := range m {
		if one.accepts(p) {
			return one.find(ctx, p, now)
		}
	}
	return nil, ReasonUnknown
}

// identify returns the one caller that all credentials prove.
func (m methods) identify(ctx context.Context, all []presented, now time.Time) (*exchange.Caller, Reason) {
	if len(all) == 0 {
		return nil, ReasonNone
	}
	var caller *exchange.Caller
	for _, p := range all {
		found, reason := m.find(ctx, p, now)
		switch {
		case reason != "" && len(all) > 1:
			return nil, ReasonDisagree
		case reason != "":
			return nil, reason
		case caller != nil && caller.Name != found.Name:
			return nil, ReasonDisagree
		case caller == nil:
			caller = found
		}
	}
	return caller, ""
}
