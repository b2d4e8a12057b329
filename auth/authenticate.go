package auth

import (
	"crypto/x509"
	"net/http"
	"time"

	"iqgateway/internal/exchange"
)

// AuthenticateOptions are the settings of [Authenticate].
type AuthenticateOptions struct {
	// Callers that exist. A key of two callers is a key of neither.
	Callers []Caller

	// KeyHeaders carry a key, beside Authorization: Bearer KEY and Basic
	// CALLER:KEY; nil = X-Api-Key.
	KeyHeaders []string

	// ClientRoots returns the authorities whose client certificates are believed
	// at the moment. A certificate of another one is refused, whatever its
	// connection has verified; nil = every certificate is.
	ClientRoots func() []*x509.Certificate

	// Issuers vouch for callers by JWT; nil = none do.
	Issuers *Issuers

	// Tokens are those of the gateway's own token endpoint; nil = there is none.
	Tokens *GatewayTokens

	// Refuse answers a request with the problem err. Required.
	Refuse func(w http.ResponseWriter, r *http.Request, err error)

	// Now is the clock against which keys expire; nil = the exchange's Start,
	// or time.Now where that is not set.
	Now func() time.Time

	// Uses is told of each credential that proves a caller; nil = nobody.
	Uses *Uses
}

// Authenticate returns the stage that finds the caller of a request, sets it in
// the exchange, and removes every caller credential from the request (also
// Cookie and Proxy-Authorization). The client certificate of the connection is
// one credential among the others.
//
// All credentials of a request must prove the same caller. Otherwise it is
// refused at once, the body unread: with CallerUnauthenticated, or with
// ProxyUnauthenticated in the absolute form (as the exchange's Form says), where
// many clients send Proxy-Authorization only once a 407 has asked for it.
//
// The one exception is the caller that may bring an upstream token of its own
// ([Passthrough]): that becomes the exchange's Own.
func Authenticate(o AuthenticateOptions) func(http.Handler) http.Handler {
	known, headers := o.methods(), o.headers()
	passing, names := newPassthroughs(o.Callers), namesOfCallers(o.Callers)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			now := instant(o.Now, r)
			caller, reason := authenticate(r, known, passing, headers, now)
			ex := exchange.From(r.Context())
			if reason != "" {
				ex.Refused = string(reason)
				claimName(r, names)
			}
			removeCredentials(r, headers)
			if reason != "" {
				o.Refuse(w, r, unauthenticated(r, reason))
				return
			}
			ex.Caller, ex.Claimed = caller, ""
			o.Uses.Note(caller, now)
			renewSoon(w, r, now)
			if caller.Blocked {
				o.Refuse(w, r, blocked(r, caller))
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// headers are the key headers in canonical form.
func (o *AuthenticateOptions) headers() []string {
	if o.KeyHeaders == nil {
		return []string{"X-Api-Key"}
	}
	headers := make([]string, len(o.KeyHeaders))
	for i, name := range o.KeyHeaders {
		headers[i] = http.CanonicalHeaderKey(name)
	}
	return headers
}

func (o *AuthenticateOptions) methods() methods {
	known := methods{newCertificates(o.Callers, o.ClientRoots), newJWTs(o.Callers, o.Issuers), newKeyring(o.Callers)}
	if o.Tokens != nil {
		known = append(methods{o.Tokens}, known...)
	}
	return known
}

// instant is the time at which a request is judged: that of its beginning, which
// the observe stage has read, where there is no clock.
func instant(now func() time.Time, r *http.Request) time.Time {
	if now != nil {
		return now()
	}
	if start := exchange.From(r.Context()).Start; !start.IsZero() {
		return start
	}
	return time.Now()
}

func authenticate(r *http.Request, known methods, passing passthroughs, headers []string, now time.Time) (*exchange.Caller, Reason) {
	ex := exchange.From(r.Context())
	absolute := ex.Form == exchange.FormAbsolute
	var buffer [maxPresented]presented
	all, ok := credentials(buffer[:0], r, headers, absolute)
	if !ok {
		return nil, ReasonMalformed
	}
	caller, reason := known.identify(r.Context(), all, now)
	if reason == ReasonDisagree {
		if with, token := passing.accepts(r.Context(), known, all, now); with != nil {
			ex.Own = token
			return with, ""
		}
	}
	return caller, reason
}

const (
	bearerChallenge = `Bearer realm="iqgateway"`
	basicChallenge  = `Basic realm="iqgateway", charset="UTF-8"`
)

func unauthenticated(r *http.Request, reason Reason) *exchange.Problem {
	if reason == ReasonUnavailable {
		return unverified()
	}
	p := exchange.Refuse(exchange.CallerUnauthenticated, details(reason))
	p.Header = http.Header{"Www-Authenticate": {bearerChallenge, basicChallenge}}
	if exchange.From(r.Context()).Form == exchange.FormAbsolute {
		p.Type = exchange.ProxyUnauthenticated
		p.Header = http.Header{"Proxy-Authenticate": {basicChallenge}} // Bearer is not what a proxy is sent
	}
	// On HTTP/1 the rest of a body would have to be read before the next
	// request; HTTP/2 ends the one stream.
	p.Close = r.ProtoMajor < 2 && r.ContentLength != 0
	if hasCertificate(r) { // a better one comes with another connection only
		p.Header["Connection"] = []string{"close"}
	}
	return p
}

// blocked is the refusal of a caller that is known and stopped.
func blocked(r *http.Request, c *exchange.Caller) *exchange.Problem {
	p := exchange.Refuse(exchange.CallerBlocked, c.Name+" is blocked for now. Ask the platform team.")
	p.Close = r.ProtoMajor < 2 && r.ContentLength != 0 // as of those who are not known
	return p
}

// unverified is the refusal of a credential that is neither good nor bad as far
// as anybody knows.
func unverified() *exchange.Problem {
	p := exchange.Refuse(exchange.CallerUnverified, "The keys of the token's issuer could not be fetched yet, so nobody can tell whether the token is good.")
	p.RetryAfter = keySetPatience
	return p
}

func details(reason Reason) string {
	switch reason {
	case ReasonNone:
		return "The request carries no credentials. Send your key in X-Api-Key, as Authorization: Bearer KEY, or as Basic CALLER:KEY."
	case ReasonMalformed:
		return "A credential of the request cannot be read. Send one: your key in X-Api-Key, as Authorization: Bearer KEY, or as Basic CALLER:KEY."
	case ReasonExpired:
		return "The key, certificate or token has expired. Get a new one: for a key, ask the platform team."
	case ReasonDisagree:
		return "The request carries several credentials that do not all prove the same caller. Send one."
	default:
		return "The key, certificate or token is not known, or not that of the caller that it was sent for."
	}
}
