package auth

import (
	"net/http"
	"time"

	"iqgateway/internal/exchange"
)

// The request fields that this package reads and removes.
const (
	credentialField = "X-Gateway-Credential"
	priorityField   = "X-Request-Priority"
)

// AuthorizeOptions are the settings of [Authorize].
type AuthorizeOptions struct {
	// Policy decides. Required.
	Policy *Policy

	// Refuse answers a request with the problem err. Required.
	Refuse func(w http.ResponseWriter, r *http.Request, err error)

	// Now is the clock against which access ends; nil = the exchange's Start,
	// or time.Now where that is not set.
	Now func() time.Time
}

// Authorize returns the stage that checks what the caller of a routed request
// may do, and sets the credential and the class of the exchange. It reads and
// removes X-Gateway-Credential and X-Request-Priority: a credential that the
// caller may not use and a word that is no class are refused, a class that the
// caller may not have is ignored.
//
// A token that the caller brought itself is kept where the credential is
// [Passthrough], and refused or dropped elsewhere.
func Authorize(o AuthorizeOptions) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ex := exchange.From(r.Context())
			decision, problem := authorize(r, ex, o.Policy, instant(o.Now, r))
			if problem != nil {
				o.Refuse(w, r, problem)
				return
			}
			ex.Credential, ex.Class = decision.Credential, decision.Class
			next.ServeHTTP(w, r)
		})
	}
}

func authorize(r *http.Request, ex *exchange.Exchange, p *Policy, now time.Time) (Decision, *exchange.Problem) {
	credential, one := take(r.Header, credentialField)
	priority, alsoOne := take(r.Header, priorityField)
	switch {
	case !one || !alsoOne:
		return Decision{}, exchange.Refuse(exchange.MalformedRequest,
			"X-Gateway-Credential and X-Request-Priority may be given once each.")
	case priority != "" && !isClass(priority):
		return Decision{}, exchange.Refuse(exchange.MalformedRequest,
			"X-Request-Priority must be interactive, batch or background.")
	case ex.Caller == nil || ex.Target == nil:
		return Decision{}, exchange.Refuse(exchange.InternalError,
			"The request reached the authorization without a caller or a target.")
	}
	asked := Request{
		Caller:     ex.Caller.Name,
		Target:     ex.Target,
		Method:     r.Method,
		Path:       ex.Target.Path,
		Credential: credential,
		Priority:   priority,
		Now:        now,
	}
	decision, problem := p.Decide(asked)
	if problem == nil {
		problem = p.settleOwn(ex, asked, decision)
	}
	return decision, problem
}

func isClass(name string) bool {
	return name == "interactive" || name == "batch" || name == "background"
}

// take removes a field and returns its value; one is false when it was there
// more than once.
func take(h http.Header, name string) (value string, one bool) {
	values := h[name]
	delete(h, name)
	if len(values) > 0 {
		value = values[0]
	}
	return value, len(values) <= 1
}
