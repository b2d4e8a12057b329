package iqsim

import (
	"net"
	"net/http"
	"net/url"
	"strings"
)

// address is where a request goes.
type address struct {
	environment string
	service     string // host stem
	path        string // escaped path below the service, as it came
	base        string // what precedes path when the service is addressed again
}

const domain = ".iqmetrix.net"

// addresses resolves requests in one of the three forms: by host
// ({service}{suffix}.iqmetrix.net), by path (/{service}/…), by path with the
// environment named (/~{environment}/{service}/…).
type addresses struct {
	environments       []Environment
	defaultEnvironment string
	knows              func(service string) bool
}

// rawPath returns the path as it stands in the request line; it begins with /.
func rawPath(r *http.Request) string {
	target, _, _ := strings.Cut(r.RequestURI, "?")
	if !strings.HasPrefix(target, "/") { // absolute form, or a request made in-process
		if _, after, ok := strings.Cut(target, "://"); ok {
			_, rest, _ := strings.Cut(after, "/")
			return "/" + rest
		}
		return "/" + strings.TrimPrefix(r.URL.EscapedPath(), "/")
	}
	return target
}

// resolve returns where r goes; false when there is no such place.
func (a *addresses) resolve(r *http.Request) (address, bool) {
	path := rawPath(r)
	if label, ok := hostLabel(r.Host); ok {
		return a.byHost(label, path, r)
	}
	to := address{environment: a.defaultEnvironment}
	prefix := ""
	if rest, ok := strings.CutPrefix(path, "/~"); ok {
		to.environment, path, _ = strings.Cut(rest, "/")
		prefix, path = "/~"+to.environment, "/"+path
		if !a.exists(to.environment) {
			return address{}, false
		}
	}
	stem, rest, found := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if !a.knows(stem) {
		return address{}, false
	}
	to.service = stem
	to.path = "/" + rest
	if !found {
		to.path = "/"
	}
	to.base = scheme(r) + "://" + r.Host + prefix + "/" + stem
	return to, true
}

// hostLabel returns what precedes .iqmetrix.net in a host, less a region
// (dataconnectrc-useast).
func hostLabel(host string) (string, bool) {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	label, ok := strings.CutSuffix(strings.ToLower(strings.TrimSuffix(host, ".")), domain)
	label, _, _ = strings.Cut(label, "-")
	return label, ok
}

func (a *addresses) byHost(label, path string, r *http.Request) (address, bool) {
	for _, e := range a.environments {
		stem, ok := strings.CutSuffix(label, e.Suffix)
		if !ok {
			continue
		}
		if stem = canonicalStem(stem); a.knows(stem) {
			// The provider's hosts speak HTTPS alone, and their links say so
			// however the request came here.
			return address{e.Name, stem, path, "https://" + r.Host}, true
		}
	}
	return address{}, false
}

// canonicalStem undoes the host names that do not follow the rule, such as
// rqdataconnectdemo for DataConnect in the sandbox.
func canonicalStem(stem string) string {
	if stem == "rqdataconnect" {
		return "dataconnect"
	}
	return stem
}

func (a *addresses) exists(environment string) bool {
	for _, e := range a.environments {
		if e.Name == environment {
			return true
		}
	}
	return false
}

func scheme(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

// below returns r as the service sees it: with the path below the service,
// and the query and its escaping untouched.
func below(r *http.Request, path string) *http.Request {
	decoded, err := url.PathUnescape(path)
	if err != nil {
		decoded = path
	}
	sub := new(http.Request)
	*sub = *r
	sub.URL = &url.URL{Path: decoded, RawPath: path, RawQuery: r.URL.RawQuery, ForceQuery: r.URL.ForceQuery}
	return sub
}

// quotaService returns what the quota is counted by: the host stem, and behind
// the shared host "api" the first segment of the path too.
func (a address) quotaService() string {
	if a.service != "api" {
		return a.service
	}
	segment, _, _ := strings.Cut(strings.TrimPrefix(a.path, "/"), "/")
	if segment == "" || len(segment) > 64 {
		return a.service
	}
	return "api/" + strings.ToLower(segment)
}
