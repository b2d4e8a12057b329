// Package exchange holds what one caller request carries through the stages:
// who asks, where it goes, what was decided, how it ended. It is the only
// value that stages share, and imports the standard library alone.
package exchange

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Form is the way in which a caller addressed the gateway.
type Form int8

// The three ways to call the gateway.
const (
	FormPath     Form = iota // https://gateway/crm/v1/…
	FormNative               // Host: crmdemo.iqmetrix.net
	FormAbsolute             // GET http://crmdemo.iqmetrix.net/v1/… (HTTP_PROXY)
)

// String returns the name used in logs.
func (f Form) String() string {
	switch f {
	case FormNative:
		return "native"
	case FormAbsolute:
		return "absolute"
	default:
		return "path"
	}
}

// Exchange is one caller request and everything done for it.
//
// It belongs to the goroutine that serves the request; work that several
// callers share (a token fetch) has a context of its own and no Exchange.
type Exchange struct {
	ID              string // our own request id: replica, then a random part
	CallerRequestID string // the caller's X-Request-Id, when well-formed
	Start           time.Time
	Form            Form
	Trace           Trace  // where it stands among traces
	Link            Link   // whose fetch brought its answer; of work in the background: who had it done
	Peer            string // where the request came from: the connection's other end, or whom a trusted proxy names; for logs alone

	Caller     *Caller    // nil until authenticated
	Refused    string     // why a stage of auth refused the caller, as auth.Reason says; "" = it did not
	Claimed    string     // whom refused credentials name, as far as that is known and no secret; for the audit log
	Target     *Target    // nil until routed
	Credential string     // set by authorize
	Own        Authorizer // the upstream token that the caller brought itself; nil = none, or none is used
	Class      string     // interactive, batch or background; set by authorize
	NoWait     bool       // X-Gateway-Wait: 0: refuse rather than wait for quota
	Self       bool       // it asks the gateway about itself, and is not remembered

	Attempts       int      // requests sent upstream
	MaxAttempts    int      // how many Attempts may become; 0 = no bound
	Upstream       *url.URL // where the last attempt went: the target's, or the host that its session prefers
	UpstreamStatus int      // of the last attempt; 0 when it gave no answer
	Account        string   // whose token the last attempt carried, as [AccountOf] names it; "" = none
	Replays        int      // attempts repeated with a new token after a 401
	Retries        int      // attempts repeated by the retry stage
	RetryResult    string   // why the retry stage stopped, as it names it; "" = nothing was to be repeated
	Breaker        string   // state of the breaker that the last attempt met: BreakerClosed and the others; "" = none was asked
	Tries          []Try    // the attempts, as they are told afterwards; see Tried
	Waits          []Wait   // what the attempts waited for; see Waited
	Dropped        []string // names of request fields that did not go upstream

	Problem *Problem // what the gateway itself answered, nil when it did not
	Aborted error    // why a started response was cut, nil when it was not

	TokenWait    time.Duration // spent in the token stage before the first attempt
	UpstreamTime time.Duration // until the response header of the last attempt

	QuotaBucket string           // environment/service/policy that counts the attempts; "" = none does
	QuotaWait   time.Duration    // spent waiting for quota, of all attempts
	QuotaResult string           // QuotaGranted, QuotaWaited, QuotaHeld or why it was refused; "" = not asked
	QuotaSource string           // QuotaGateway or QuotaUpstream, "" = nobody refused
	QuotaView   func() QuotaView // the bucket at the moment of the call; nil = none counts the request
	QuotaToken  QuotaToken       // what an attempt below the quota holds; nil = none counts it

	Cache CacheView // what the cache decided

	Overrides string // keys of the operators' overrides that it has met, parted by spaces

	routed Target // where SetTarget keeps it
}

// SetTarget sets Target to a copy of t, which lies in the exchange itself: a
// target of its own would be one more allocation for each request.
func (ex *Exchange) SetTarget(t Target) {
	ex.routed = t
	ex.Target = &ex.routed
}

// MayRepeat reports whether one attempt more is allowed. Whoever repeats what the
// upstream has seen asks for it first.
func (ex *Exchange) MayRepeat() bool { return ex.MaxAttempts == 0 || ex.Attempts < ex.MaxAttempts }

// Caller is an internal application whose credentials were verified.
type Caller struct {
	Name         string
	Proof        string   // what proved it: key, certificate, jwt or token
	KeyID        string   // which of its keys, certificates or subjects
	Environments []string // those it may use, sorted
	Environment  string   // its own default, "" when it has none
	Class        string   // its default class
	Blocked      bool     // everything that it asks for is refused
}

// Target is where a request goes. Values in it that come from the
// configuration are shared by all requests and must not be changed.
type Target struct {
	Environment string
	Service     string

	Upstream *url.URL // scheme, host and path prefix; from configuration only
	Path     string   // escaped path below the prefix, byte for byte as it came; begins with /
	Folded   string   // Path as the upstream may read it (pathpattern.Fold); "" = not known yet
	RawQuery string   // byte for byte as it came
	HasQuery bool     // a "?" was there, RawQuery may still be empty
	Prefix   string   // the gateway's own part of the caller's path, "" but for FormPath

	Route string // route pattern: /{environment}/{service}/ + path pattern

	Write          bool   // needs the right to write (method or side effect)
	Session        bool   // answered by the gateway's own session call
	Authentication string // bearer, anonymous or none
	Policy         string // authenticated or anonymous: which upstream quota counts it
	Sensitive      bool   // granted by name only
}

// QuotaPolicy names the upstream limit that counts t, to callers.
func (t *Target) QuotaPolicy() string { return t.Service + "-" + t.Policy }

// Authorizer writes the Authorization field of one attempt. It is all that the
// stages between token and attempt ever see of a token.
type Authorizer interface {
	Authorize(http.Header)
}

// AccountOf names the account for which a has last written a field: equal for
// equal accounts, and no secret. It is "" where a does not say.
func AccountOf(a Authorizer) string {
	if named, ok := a.(interface{ Account() string }); ok {
		return named.Account()
	}
	return ""
}

// States of a circuit breaker, as in [Exchange.Breaker].
const (
	BreakerClosed   = "closed"
	BreakerOpened   = "open"
	BreakerHalfOpen = "half-open"
)

type exchangeKey struct{}

type authorizerKey struct{}

// carrier is a context and its exchange in one allocation.
type carrier struct {
	context.Context //nolint:containedctx // it is a context

	exchange Exchange
}

// Value implements [context.Context].
func (c *carrier) Value(key any) any {
	if _, ok := key.(exchangeKey); ok {
		return &c.exchange
	}
	return c.Context.Value(key)
}

// Begin returns an empty exchange and a context that carries it.
func Begin(ctx context.Context) (context.Context, *Exchange) {
	c := &carrier{Context: ctx}
	return c, &c.exchange
}

// With returns a context that carries ex.
func With(ctx context.Context, ex *Exchange) context.Context {
	return context.WithValue(ctx, exchangeKey{}, ex)
}

// From returns the exchange of ctx, or a fresh empty one when there is none,
// so that a stage can be used and tested alone.
func From(ctx context.Context) *Exchange {
	if ex, ok := ctx.Value(exchangeKey{}).(*Exchange); ok {
		return ex
	}
	return &Exchange{}
}

// WithAuthorizer returns a context whose attempts are authorized by a.
func WithAuthorizer(ctx context.Context, a Authorizer) context.Context {
	return context.WithValue(ctx, authorizerKey{}, a)
}

// AuthorizerFrom returns the authorizer of ctx; nil means that the attempt
// goes out without credentials.
func AuthorizerFrom(ctx context.Context) Authorizer {
	a, _ := ctx.Value(authorizerKey{}).(Authorizer)
	return a
}
