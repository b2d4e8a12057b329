package proxy

import (
	"net/http"
	"strings"

	"iqgateway/internal/exchange"
)

// Router finds the environment, service and upstream path of a request. It is
// immutable and safe for concurrent use; a new configuration has a new Router.
type Router struct {
	environments map[string]*environment
	hosts        map[string][]*service // by native host; longest path prefix first
	refuse       func(http.ResponseWriter, *http.Request, error)
}

// Request is all that the router looks at.
type Request struct {
	Form     exchange.Form
	Method   string
	Host     string // not used by FormPath; a port and the case do not matter
	Path     string // raw, as it stands on the request line
	RawQuery string
	HasQuery bool // a "?" was there
	HasBody  bool

	Environments []string // those that the caller may use
	Environment  string   // the caller's own default, "" when it has none
}

// Resolve returns where q goes, or why it goes nowhere. It has no side effects
// and assumes what [Sanitize] guarantees: a path that begins with one slash,
// with valid escapes and without dot segments.
//
// An environment that the caller may not use is answered like one that does
// not exist.
func (r *Router) Resolve(q Request) (exchange.Target, *exchange.Problem) {
	found, problem := r.locate(q)
	if problem != nil {
		return exchange.Target{}, problem
	}
	if strings.HasPrefix(found.path, "//") {
		return exchange.Target{}, exchange.Refuse(exchange.MalformedRequest,
			"the path below the service begins with two slashes; remove one")
	}
	return found.service.target(q, found)
}

// NativeHost reports whether host is that of an upstream, so that a request to
// it is meant for the upstream and not for the gateway's own paths.
func (r *Router) NativeHost(host string) bool {
	name, err := canonicalHost(host)
	return err == nil && len(r.hosts[name]) > 0
}

// Route is stage 4: it sets the exchange's Target, or refuses.
func (r *Router) Route(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		ex := exchange.From(req.Context())
		target, problem := r.Resolve(RequestOf(req, ex))
		if problem != nil {
			r.refuse(w, req, problem)
			return
		}
		ex.SetTarget(target)
		next.ServeHTTP(w, req)
	})
}

// RequestOf returns what the router looks at of a request that [Sanitize] let
// through: form and caller are in its exchange.
func RequestOf(req *http.Request, ex *exchange.Exchange) Request {
	raw := splitTarget(req.RequestURI)
	q := Request{
		Form:     ex.Form,
		Method:   req.Method,
		Host:     req.Host,
		Path:     raw.path,
		RawQuery: raw.query,
		HasQuery: raw.hasQuery,
		HasBody:  req.ContentLength != 0,
	}
	if ex.Caller != nil {
		q.Environments, q.Environment = ex.Caller.Environments, ex.Caller.Environment
	}
	return q
}
