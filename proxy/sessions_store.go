package proxy

import (
	"context"
	"time"

	"iqgateway/internal/secret"
)

// SessionKey names the session that one account has with one service. A store
// shows none of it.
type SessionKey struct {
	Environment string
	Service     string
	Upstream    string // URL that the service is configured with
	Credential  string
	// Account changes when the credential stands for another account, so that
	// no session outlives its owner; see [ServiceSession].
	Account string
}

// SessionStore shares sessions between replicas. It is a help, never a
// condition: every error means "unknown", and each replica goes on with what it
// knows itself. Calls are short (50 ms), obey their context, and cost nothing
// while the store is away.
//
// Times go in and out as durations from now, so that no two clocks are ever
// compared. What was not updated for 20 minutes is forgotten.
type SessionStore interface {
	// Load returns what the fleet knows, the zero SharedSession when nothing.
	Load(ctx context.Context, key SessionKey) (SharedSession, error)

	// Update replaces what the fleet knows by what change makes of it, and
	// returns the result. Of two concurrent updates the second sees the result
	// of the first: change may be called several times, and must depend on its
	// argument alone.
	Update(ctx context.Context, key SessionKey, change func(SharedSession) SharedSession) (SharedSession, error)
}

// SharedSession is what a fleet knows of one session.
type SharedSession struct {
	Cookies  []SharedCookie
	Endpoint SharedEndpoint
}

// SharedCookie is a cookie of the upstream. The value is a secret: it stands
// for a login.
type SharedCookie struct {
	Host   string // that set it, the only one that gets it; with a port unless it is the scheme's own
	Name   string
	Value  secret.Text
	Path   string
	Secure bool
	Left   time.Duration // until it expires; 0 = it lives as long as the session
}

// SharedEndpoint is what the upstream last said about the host that it prefers.
type SharedEndpoint struct {
	Known  bool          // somebody has asked
	Origin string        // scheme://host[:port]; "" = it prefers none
	Age    time.Duration // since it was asked
}

// SessionDrop says why something of a session was given up, in words that fit a
// metric label.
type SessionDrop string

// Why a preferred endpoint or the cookies were dropped.
const (
	DropConnect  SessionDrop = "connect"  // no connection to the preferred host
	DropBroken   SessionDrop = "broken"   // a new connection to it broke before an answer
	DropStatus   SessionDrop = "status"   // it had no session document: 401, 404, 5xx, something else
	DropRejected SessionDrop = "rejected" // cookies: the upstream answered 401
)

// SessionHooks observe sessions; a nil func is silent. They must not block, and
// are never called under a lock. No text that they get holds a cookie.
type SessionHooks struct {
	// Opened is called when the upstream has set a session cookie that this
	// process did not know.
	Opened func(key SessionKey, host string)
	// Ended is called when the cookies of a session were dropped.
	Ended func(key SessionKey, reason SessionDrop)
	// Learned is called when the upstream prefers another host than before:
	// scheme://host, or "" for none.
	Learned func(key SessionKey, origin string)
	// Refused is called when it names one that the gateway does not use.
	Refused func(key SessionKey, err error)
	// Dropped is called when a preferred host failed and is left alone.
	Dropped func(key SessionKey, origin string, reason SessionDrop)
	// Called is called after each session call of the gateway's own; err is nil
	// when it brought a document.
	Called func(key SessionKey, duration time.Duration, err error)
	// StoreFailed is called when the store ("load", "update") gave an error.
	StoreFailed func(key SessionKey, operation string, err error)
	// Panicked is called with what was recovered from background work.
	Panicked func(key SessionKey, value any, stack []byte)
}
