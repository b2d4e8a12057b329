package auth

import (
	"context"
	"slices"
	"time"

	"iqgateway/internal/exchange"
)

// method is one way to prove who calls. It must be safe for concurrent use.
type method interface {
	// accepts reports whether the credential is of this kind.
	accepts(p presented) bool
	// find returns the caller that the credential proves; Reason "" means
	// success. It waits for another machine only where it cannot know anything
	// before, and not for long. It may claim whom the credential names.
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

// reserved reports whether a text belongs to one of the choosy methods; what is
// left is the keyring's, which is the last.
func (m methods) reserved(p presented) bool {
	return slices.ContainsFunc(m[:len(m)-1], func(one method) bool { return one.accepts(p) })
}

// identify returns the one caller that all credentials prove. That one of them
// cannot be judged counts only where the others are good.
func (m methods) identify(ctx context.Context, all []presented, now time.Time) (*exchange.Caller, Reason) {
	if len(all) == 0 {
		return nil, ReasonNone
	}
	var caller *exchange.Caller
	var unavailable Reason
	for _, p := range all {
		found, reason := m.find(ctx, p, now)
		switch {
		case reason == ReasonUnavailable:
			unavailable = reason
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
	if unavailable != "" {
		return nil, unavailable
	}
	return caller, ""
}
