package auth

import (
	"fmt"
	"time"

	"iqgateway/internal/exchange"
)

// settleOwn decides what becomes of the token that a caller brought, or did not
// bring, once its request is allowed.
func (p *Policy) settleOwn(ex *exchange.Exchange, r Request, d Decision) *exchange.Problem {
	passes := d.Credential == Passthrough
	switch {
	case passes && ex.Own == nil && signs(r.Target):
		return exchange.Refuse(exchange.NotAllowed, fmt.Sprintf(
			"%s uses %s in %s with an iQmetrix token of its own (credential %s), and the request brings none. "+
				"Send it as Authorization: Bearer TOKEN, and what proves the caller elsewhere: the key in X-Api-Key, or a client certificate.",
			r.Caller, r.Target.Service, r.Target.Environment, Passthrough))
	case ex.Own == nil || passes && signs(r.Target):
		return nil
	case !passes:
		if until := p.passthroughEnded(r); !until.IsZero() {
			return exchange.Refuse(exchange.NotAllowed, fmt.Sprintf(
				"%s may not bring an iQmetrix token of its own any more: its access with credential %s ended at %s. Remove it from Authorization.",
				r.Caller, Passthrough, until.UTC().Format(time.RFC3339)))
		}
	}
	ex.Own = nil // a service that asks for no token is shown none
	ex.Dropped = append(ex.Dropped, "Authorization")
	return nil
}

// signs reports whether requests to t carry a token at all.
func signs(t *exchange.Target) bool {
	return t.Authentication == "bearer" && t.Policy != "anonymous"
}

// passthroughEnded returns when the last access with a caller's own token ended,
// the zero time while there is one.
func (p *Policy) passthroughEnded(r Request) (last time.Time) {
	c := p.callers[r.Caller]
	for i := range c.Access {
		a := &c.Access[i]
		switch {
		case a.Credential != Passthrough:
		case a.Until.IsZero() || r.Now.Before(a.Until):
			return time.Time{}
		case a.Until.After(last):
			last = a.Until
		}
	}
	return last
}
