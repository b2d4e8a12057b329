package auth

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"iqgateway/internal/exchange"
)

// Policy is what every caller may do. It is immutable and decides without
// side effects.
type Policy struct {
	callers map[string]*Caller
}

// Request is what a decision depends on.
type Request struct {
	Caller     string
	Target     *exchange.Target
	Method     string
	Path       string    // raw, below the service: Target.Path
	Credential string    // asked for with X-Gateway-Credential; "" = any
	Priority   string    // asked for with X-Request-Priority; "" = the caller's own class
	Now        time.Time // for access that ends
}

// Decision is what an allowed request gets.
type Decision struct {
	Credential string
	Class      string
}

// Considered is one access rule of the caller and what became of it.
type Considered struct {
	Rule    string // which rule, as it stands in the configuration
	Matched bool   // it allows the request
	Chosen  bool   // its credential is used
	Reason  string // why it does not match, or was not chosen
}

// NewPolicy returns the policy of the callers. Their values must not be
// changed afterwards.
func NewPolicy(callers []Caller) *Policy {
	p := &Policy{callers: make(map[string]*Caller, len(callers))}
	for _, c := range callers {
		p.callers[c.Name] = &c
	}
	return p
}

// Caller returns what other stages see of a caller once it is authenticated;
// nil when there is none of that name.
func (p *Policy) Caller(name string) *exchange.Caller {
	c := p.callers[name]
	if c == nil {
		return nil
	}
	return c.identity("", "")
}

// Decide says with which credential and class a request goes on, or why it may
// not (NotAllowed).
//
// Only access to credentials of the target's environment counts. A service's
// own entry decides before "*". Of several credentials that allow the request,
// the one asked for is used, else the one marked as default.
func (p *Policy) Decide(r Request) (Decision, *exchange.Problem) {
	c := p.callers[r.Caller]
	if c == nil {
		return Decision{}, exchange.Refuse(exchange.NotAllowed, fmt.Sprintf("%s is no caller of this gateway any more.", r.Caller))
	}
	chosen, several := choose(c, r)
	switch {
	case chosen >= 0:
		return Decision{Credential: c.Access[chosen].Credential, Class: classFor(c, r.Priority)}, nil
	case several:
		return Decision{}, exchange.Refuse(exchange.NotAllowed, ambiguous(c, r))
	}
	return Decision{}, exchange.Refuse(exchange.NotAllowed, refusal(c, r))
}

// Explain returns what Decide thinks of each access rule of the caller, in the
// order of the configuration.
func (p *Policy) Explain(r Request) []Considered {
	c := p.callers[r.Caller]
	if c == nil {
		return nil
	}
	chosen, _ := choose(c, r)
	all := make([]Considered, len(c.Access))
	for i := range c.Access {
		v := judge(&c.Access[i], r)
		all[i] = Considered{Rule: describe(c, i, r.Target), Matched: v == allowed, Chosen: i == chosen}
		switch {
		case v != allowed:
			all[i].Reason = v.explain(&c.Access[i], r)
		case chosen < 0:
			all[i].Reason = "another credential allows it too, and none of them is the default"
		case i != chosen:
			all[i].Reason = "access to " + c.Access[chosen].Credential + " comes first"
		}
	}
	return all
}

// choose returns the index of the access that is used, -1 for none; several
// means that more than one credential would do and nothing decides.
func choose(c *Caller, r Request) (chosen int, several bool) {
	chosen = -1
	for i := range c.Access {
		a := &c.Access[i]
		if judge(a, r) != allowed {
			continue
		}
		switch {
		case chosen < 0:
			chosen = i
		case a.Default && !c.Access[chosen].Default:
			chosen, several = i, false
		case a.Credential == c.Access[chosen].Credential:
		case !c.Access[chosen].Default:
			several = true
		}
	}
	if several {
		return -1, true
	}
	return chosen, false
}

// classFor gives the class asked for, if the caller may have it.
func classFor(c *Caller, asked string) string {
	if asked != "" && slices.Contains(c.Classes, asked) {
		return asked
	}
	return cmp.Or(c.Class, "interactive")
}

// verdict is what one access rule says to a request.
type verdict int8

const (
	allowed verdict = iota
	otherEnvironment
	otherCredential
	ended
	sensitive
	otherService
	otherPath
	readsOnly
	otherMethod
	sideEffect
)

func judge(a *Access, r Request) verdict {
	switch {
	case a.Environment != r.Target.Environment:
		return otherEnvironment
	case r.Credential != "" && r.Credential != a.Credential:
		return otherCredential
	case !a.Until.IsZero() && !r.Now.Before(a.Until):
		return ended
	}
	g, named := a.Services[r.Target.Service]
	if !named {
		every, has := a.Services["*"]
		switch {
		case !has:
			return otherService
		case r.Target.Sensitive:
			return sensitive
		}
		g = every
	}
	return g.judge(r)
}

func (g Grant) judge(r Request) verdict {
	if !g.coversPath(r.Path) {
		return otherPath
	}
	switch {
	case g.Level == LevelWrite:
		return allowed
	case g.Level == LevelRead || len(g.Methods) == 0:
		if r.Target.Write {
			return readsOnly
		}
		return allowed
	case !g.lists(r.Method):
		return otherMethod
	case r.Target.Write && reads(r.Method) && !slices.ContainsFunc(g.Methods, writes):
		return sideEffect
	}
	return allowed
}

func (g Grant) coversPath(path string) bool {
	for _, p := range g.Paths {
		if p.Match(path) {
			return true
		}
	}
	return len(g.Paths) == 0
}

func (g Grant) lists(method string) bool {
	return slices.Contains(g.Methods, method) ||
		method == http.MethodHead && slices.Contains(g.Methods, http.MethodGet)
}

func reads(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

func writes(method string) bool { return !reads(method) }

// explain says in a sentence why a lost.
func (v verdict) explain(a *Access, r Request) string {
	switch v {
	case otherEnvironment:
		return a.Credential + " belongs to " + a.Environment + ", the request goes to " + r.Target.Environment
	case otherCredential:
		return "X-Gateway-Credential asks for another credential"
	case ended:
		return "it ended at " + a.Until.UTC().Format(time.RFC3339)
	case sensitive:
		return `"*" leaves out sensitive services: ` + r.Target.Service + " must be named"
	case otherService:
		return "it does not name " + r.Target.Service
	case otherPath:
		return "none of its paths matches: " + strings.Join(pathTexts(a.grantFor(r.Target)), ", ")
	case readsOnly:
		return "it only reads, and the request writes or has side effects"
	case otherMethod:
		return "it allows " + strings.Join(a.grantFor(r.Target).Methods, ", ") + " only"
	case sideEffect:
		return "the request has side effects, and no method that writes is allowed"
	default:
		return ""
	}
}
