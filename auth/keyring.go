package auth

import (
	"context"
	"crypto/subtle"
	"time"

	"iqgateway/internal/exchange"
)

// Reason says why nobody is known by the credentials of a request; it is the
// exchange's Refused, in the audit log and in metrics.
type Reason string

// The reasons.
const (
	ReasonNone      Reason = "none"      // no credentials
	ReasonMalformed Reason = "malformed" // credentials that cannot be read
	ReasonUnknown   Reason = "unknown"   // no such key, or not of the caller that it claims
	ReasonExpired   Reason = "expired"   // a credential that was good once
	ReasonDisagree  Reason = "disagree"  // several credentials, not all of the same caller

	// ReasonUnavailable: nobody can tell yet, as the keys of the token's issuer
	// were never fetched. It says nothing about the credential.
	ReasonUnavailable Reason = "unavailable"
)

// keyring finds the caller of a key. It is immutable.
//
// Keys are found by their digest, so the time that a search takes depends on
// the digest of what was presented, not on how much of a key was guessed; the
// comparison that decides takes the same time whatever it compares.
type keyring struct {
	records map[Digest]*record
	dummy   record // compared with when there is no such key
}

type record struct {
	digest  Digest
	caller  *exchange.Caller
	expires time.Time
	shared  bool // by two callers: names neither
}

func newKeyring(callers []Caller) *keyring {
	ring := &keyring{records: make(map[Digest]*record)}
	for _, c := range callers {
		for _, k := range c.Keys {
			if other := ring.records[k.Digest]; other != nil {
				other.shared = other.shared || other.caller.Name != c.Name
				continue
			}
			ring.records[k.Digest] = &record{digest: k.Digest, caller: c.identity(ProofKey, k.ID), expires: k.Expires}
		}
	}
	return ring
}

// accepts implements [method]: whatever no other method takes is a key.
func (k *keyring) accepts(p presented) bool { return p.connection == nil }

// find implements [method].
func (k *keyring) find(_ context.Context, p presented, now time.Time) (*exchange.Caller, Reason) {
	digest := DigestOf(p.key)
	r, found := k.records[digest]
	if !found {
		r = &k.dummy
	}
	same := subtle.ConstantTimeCompare(r.digest[:], digest[:]) == 1
	switch {
	case !found || !same || r.shared:
		return nil, ReasonUnknown
	case p.caller != "" && p.caller != r.caller.Name:
		return nil, ReasonUnknown
	case !r.expires.IsZero() && !now.Before(r.expires):
		return nil, ReasonExpired
	}
	return r.caller, ""
}
