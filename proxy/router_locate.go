package proxy

import (
	"fmt"
	"slices"
	"strings"

	"iqgateway/internal/exchange"
)

// location is a service and the two parts of the path that led to it.
type location struct {
	service *service
	prefix  string // the gateway's own part of the path
	path    string // what goes below the upstream's prefix
}

func (r *Router) locate(q Request) (location, *exchange.Problem) {
	if q.Form == exchange.FormPath {
		return r.locateByPath(q)
	}
	return r.locateByHost(q)
}

// locateByPath reads /{service}/… and /{environment}/{service}/….
func (r *Router) locateByPath(q Request) (location, *exchange.Problem) {
	name, rest := cutSegment(q.Path)
	env := r.environments[name]
	if env != nil && slices.Contains(q.Environments, name) {
		name, rest = cutSegment(rest)
	} else {
		var problem *exchange.Problem
		if env, problem = r.ownEnvironment(q, name); problem != nil {
			return location{}, problem
		}
	}
	s := env.services[name]
	if s == nil {
		return location{}, unknownService(env.name, name)
	}
	return location{s, q.Path[:len(q.Path)-len(rest)], orRoot(rest)}, nil
}

// ownEnvironment returns the environment of a path that names none.
func (r *Router) ownEnvironment(q Request, service string) (*environment, *exchange.Problem) {
	name := q.Environment
	if name == "" && len(q.Environments) == 1 {
		name = q.Environments[0]
	}
	if env := r.environments[name]; env != nil && slices.Contains(q.Environments, name) {
		return env, nil
	}
	var choices []string
	for _, name := range q.Environments {
		if env := r.environments[name]; env != nil && env.services[service] != nil {
			choices = append(choices, name)
		}
	}
	if len(choices) == 0 {
		return nil, unknownService("", service)
	}
	p := exchange.Refuse(exchange.EnvironmentAmbiguous, fmt.Sprintf(
		"%s exists in several environments that this caller may use; call /{environment}/%s/… with one of: %s",
		service, service, strings.Join(choices, ", ")))
	p.Extra = map[string]any{"environments": choices}
	return nil, p
}

// locateByHost serves the native and the absolute form: the host and, where
// services share it, the path prefix select the service.
func (r *Router) locateByHost(q Request) (location, *exchange.Problem) {
	name, err := canonicalHost(q.Host)
	if err != nil {
		return location{}, exchange.Refuse(exchange.MalformedRequest, err.Error())
	}
	for _, s := range r.hosts[name] {
		rest, ok := cutPrefix(q.Path, s.base)
		if ok && slices.Contains(q.Environments, s.environment) {
			return location{s, "", orRoot(rest)}, nil
		}
	}
	return location{}, exchange.Refuse(exchange.UnknownService, fmt.Sprintf(
		"this caller has no service at the host %s and this path", quoted(name)))
}

func unknownService(environment, service string) *exchange.Problem {
	text := "there is no service or environment " + quoted(service)
	if environment != "" {
		text = fmt.Sprintf("the environment %s has no service %s", environment, quoted(service))
	}
	return exchange.Refuse(exchange.UnknownService,
		text+" for this caller; the path is /{service}/… or /{environment}/{service}/…, names in lower case")
}

// cutSegment splits "/crm/v1/x" into "crm" and "/v1/x".
func cutSegment(path string) (segment, rest string) {
	path = strings.TrimPrefix(path, "/")
	if at := strings.IndexByte(path, '/'); at >= 0 {
		return path[:at], path[at:]
	}
	return path, ""
}

// cutPrefix removes a path prefix that ends where a segment ends.
func cutPrefix(path, prefix string) (rest string, ok bool) {
	rest, ok = strings.CutPrefix(path, prefix)
	return rest, ok && (rest == "" || rest[0] == '/')
}

// orRoot: an empty path and "/" are the same request (RFC 9110 section 4.2.3).
func orRoot(path string) string {
	if path == "" {
		return "/"
	}
	return path
}

// quoted shows a caller's text in an error: escaped and short.
func quoted(s string) string {
	const limit = 64
	if len(s) > limit {
		return fmt.Sprintf("%+q…", s[:limit])
	}
	return fmt.Sprintf("%+q", s)
}
