package proxy

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"iqgateway/internal/exchange"
)

const allowedMethods = "GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE"

// check decides whether r is served at all, and in which form it came. It is
// pure: everything that it looks at is in r and in the options.
func (s *sanitizer) check(r *http.Request) (exchange.Form, *exchange.Problem) {
	if p := checkMethod(r); p != nil {
		return 0, p
	}
	if r.ProtoMajor > 2 || r.ProtoMajor == 1 && r.ProtoMinor > 1 {
		return 0, exchange.Refuse(exchange.VersionNotSupported, "the gateway speaks HTTP/1.0, HTTP/1.1 and HTTP/2")
	}
	if len(r.RequestURI) > s.MaxURI {
		return 0, exchange.Refuse(exchange.URITooLong, fmt.Sprintf(
			"the request target has %d bytes, the limit is %d (server.limits.max_uri)", len(r.RequestURI), s.MaxURI))
	}
	if p := s.checkHeader(r); p != nil {
		return 0, p
	}
	target := splitTarget(r.RequestURI)
	form, p := s.checkHost(r, target)
	if p != nil {
		return 0, p
	}
	if p := s.checkTarget(target); p != nil {
		return 0, p
	}
	return form, s.checkBody(r)
}

func knownMethod(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions,
		http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		return true
	}
	return false
}

func checkMethod(r *http.Request) *exchange.Problem {
	if knownMethod(r.Method) {
		return nil
	}
	var p *exchange.Problem
	if r.Method == http.MethodConnect {
		p = exchange.Refuse(exchange.ConnectNotSupported,
			"the gateway makes no tunnels: call https://{gateway}/{service}/… directly, or an http:// URL of the iQmetrix host through HTTP_PROXY (the gateway goes on over HTTPS)")
	} else {
		p = exchange.Refuse(exchange.MethodNotAllowed, "the method "+quoted(r.Method)+" is not one of "+allowedMethods)
	}
	p.Header = http.Header{"Allow": {allowedMethods}}
	return p
}

func (s *sanitizer) checkTarget(t rawTarget) *exchange.Problem {
	if err := checkPath(t.path); err != nil {
		return malformed(err)
	}
	if err := checkQuery(t.query); err != nil {
		return malformed(err)
	}
	if t.query != "" && anyParameter(t.query, s.isCredential) {
		return exchange.Refuse(exchange.MalformedRequest,
			"the query has a credential parameter ("+strings.Join(s.CredentialParameters, ", ")+"); the gateway signs requests itself: remove it")
	}
	return nil
}

func (s *sanitizer) isCredential(name parameterName, _ string) bool {
	return slices.ContainsFunc(s.CredentialParameters, name.is)
}

// checkBody: a body where none belongs is how one request hides in another. What
// that of a DELETE means is the origin's to say (RFC 9110 section 9.3.5), and
// iQmetrix removes catalog attributes so: it is framed as that of a POST.
func (s *sanitizer) checkBody(r *http.Request) *exchange.Problem {
	if r.ContentLength != 0 && safe(r.Method) && !mustBeEmpty(r) {
		return unexpectedBody(r)
	}
	return nil
}

func unexpectedBody(r *http.Request) *exchange.Problem {
	if safe(r.Method) {
		return exchange.Refuse(exchange.MalformedRequest, "a "+r.Method+" request must not have a body (Content-Length: 0 is fine)")
	}
	return exchange.Refuse(exchange.MalformedRequest, "the request has a body, but its Content-Length is 0")
}

// mustBeEmpty: over HTTP/2 the end of a request may come in a frame of its own.
// Whether there is a body where none may be is known only when that has come.
func mustBeEmpty(r *http.Request) bool {
	if r.ProtoMajor != 2 {
		return false
	}
	_, announced := r.Header["Content-Length"]
	return r.ContentLength < 0 && safe(r.Method) || r.ContentLength == 0 && announced
}

func malformed(err error) *exchange.Problem {
	return exchange.Refuse(exchange.MalformedRequest, err.Error())
}
