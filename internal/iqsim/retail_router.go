package iqsim

import (
	"net/http"
	"slices"
	"strings"
)

// captures holds what the {names} of a route's pattern stood for.
type captures map[string]string

// operation is one method on one path pattern of a service.
type operation func(r *http.Request, c captures) answer

// router finds the operation for a path such as
// /v1/Companies(14146)/Customers(…). Like the provider's services it reads the
// decoded path ("%28" is a parenthesis), ignores case and a final slash, and
// takes captures with or without quotes. Routes are tried in order of
// registration: the special before the general.
type router struct {
	routes []route
}

type route struct {
	method  string
	pattern []part
	run     operation
}

// part is a literal (lower case) or a capture (name set).
type part struct {
	literal, name string
}

// handle registers an operation. A {name} in the pattern stands for one or
// more characters other than '/' up to the literal that follows it; at the end
// it takes the rest of the segment.
func (rt *router) handle(method, pattern string, run operation) {
	rt.routes = append(rt.routes, route{method, parts(pattern), run})
}

// handleAny registers an operation for every path.
func (rt *router) handleAny(method string, run func(r *http.Request) answer) {
	rt.routes = append(rt.routes, route{method, nil, func(r *http.Request, _ captures) answer { return run(r) }})
}

// ServeHTTP implements [http.Handler].
func (rt *router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rt.answer(r).write(w)
}

func (rt *router) answer(r *http.Request) answer {
	path := r.URL.Path
	if len(path) > 1 {
		path = strings.TrimSuffix(path, "/")
	}
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	var allowed []string
	for _, route := range rt.routes {
		c, ok := match(route.pattern, path)
		ok = ok || route.pattern == nil // handleAny
		if !ok {
			continue
		}
		if route.method == method {
			return route.run(r, c)
		}
		if !slices.Contains(allowed, route.method) {
			allowed = append(allowed, route.method)
		}
	}
	if allowed == nil {
		return notFound()
	}
	text := "The requested resource does not support http method '" + r.Method + "'."
	return message(http.StatusMethodNotAllowed, text).with("Allow", strings.Join(allowed, ", "))
}

// parts splits a pattern into its literals and captures.
func parts(pattern string) []part {
	var found []part
	for pattern != "" {
		literal, rest, more := strings.Cut(pattern, "{")
		if literal != "" {
			found = append(found, part{literal: strings.ToLower(literal)})
		}
		if !more {
			return found
		}
		name, after, _ := strings.Cut(rest, "}")
		found = append(found, part{name: name})
		pattern = after
	}
	return found
}

// match reports whether path is an instance of the pattern, and its captures.
func match(pattern []part, path string) (captures, bool) {
	var c captures
	for i, p := range pattern {
		if p.name == "" {
			if len(path) < len(p.literal) || !strings.EqualFold(path[:len(p.literal)], p.literal) {
				return nil, false
			}
			path = path[len(p.literal):]
			continue
		}
		end := captureEnd(path, pattern[i+1:])
		value := unquote(path[:end])
		if value == "" {
			return nil, false
		}
		if c == nil {
			c = make(captures, len(pattern))
		}
		c[p.name] = value
		path = path[end:]
	}
	if path != "" {
		return nil, false
	}
	return c, true
}

// captureEnd is where a capture at the start of path ends: before the next
// literal's first character, and never past a slash.
func captureEnd(path string, next []part) int {
	stops := "/"
	if len(next) > 0 && next[0].literal != "" {
		stops += next[0].literal[:1]
	}
	if end := strings.IndexAny(path, stops); end >= 0 {
		return end
	}
	return len(path)
}

// unquote takes the quotes off Items(SourceId="…") and Companies('1').
func unquote(s string) string {
	if len(s) >= 2 && (s[0] == '\'' || s[0] == '"') && s[len(s)-1] == s[0] {
		return s[1 : len(s)-1]
	}
	return s
}
