package proxy

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"iqgateway/internal/pathpattern"
)

type environment struct {
	name     string
	services map[string]*service // by name and alias
}

// service is a RouteService made ready for matching.
type service struct {
	RouteService

	environment string
	base        string   // escaped path prefix of the upstream, without trailing slash
	nested      []string // folded, below base: where other services of the same host begin
	routes      []route  // most specific first
	rest        string   // label of what no route matches
	restricted  bool     // some rule needs the folded path
	ambiguous   bool     // another service has the same host and prefix: no native form
}

type route struct {
	pattern pathpattern.Pattern
	label   string
}

// NewRouter builds the tables. The error names what the configuration cannot
// mean: a name that stands for two things.
func NewRouter(o RouterOptions) (*Router, error) {
	r := &Router{
		environments: make(map[string]*environment, len(o.Environments)),
		hosts:        make(map[string][]*service),
		refuse:       o.Refuse,
	}
	for _, e := range o.Environments {
		if r.environments[e.Name] != nil {
			return nil, fmt.Errorf("environment %q stands twice", e.Name)
		}
		env, err := r.addEnvironment(e)
		if err != nil {
			return nil, fmt.Errorf("environment %q: %w", e.Name, err)
		}
		r.environments[e.Name] = env
	}
	return r, errors.Join(r.checkNames(), r.arrangeHosts())
}

func (r *Router) addEnvironment(e RouteEnvironment) (*environment, error) {
	env := &environment{e.Name, make(map[string]*service)}
	for _, options := range e.Services {
		s, err := newService(e.Name, options)
		if err != nil {
			return nil, fmt.Errorf("service %q: %w", options.Name, err)
		}
		for _, name := range append([]string{options.Name}, options.Aliases...) {
			if other := env.services[name]; other != nil {
				return nil, fmt.Errorf("%q stands for the services %s and %s", name, other.Name, s.Name)
			}
			env.services[name] = s
		}
		if host, err := canonicalHost(s.Upstream.Host); err == nil {
			r.hosts[host] = append(r.hosts[host], s)
		}
	}
	return env, nil
}

func newService(environment string, o RouteService) (*service, error) {
	if o.Upstream == nil || o.Upstream.Host == "" || o.Upstream.Scheme == "" {
		return nil, errors.New("the upstream URL must have a scheme and a host")
	}
	base := strings.TrimRight(o.Upstream.EscapedPath(), "/")
	if base != o.Upstream.EscapedPath() { // paths begin with a slash of their own
		trimmed := *o.Upstream
		trimmed.Path = strings.TrimRight(trimmed.Path, "/")
		trimmed.RawPath = strings.TrimRight(trimmed.RawPath, "/")
		o.Upstream = &trimmed
	}
	label := "/" + environment + "/" + o.Name
	s := &service{
		RouteService: o,
		environment:  environment,
		base:         base,
		rest:         label + "/**",
		restricted:   o.Session || len(o.Denied) > 0 || len(o.SideEffects) > 0,
	}
	s.SideEffects = lowerSideEffects(o.SideEffects)
	for _, p := range o.Routes {
		s.routes = append(s.routes, route{p, label + p.String()})
	}
	slices.SortStableFunc(s.routes, func(a, b route) int { return pathpattern.Compare(a.pattern, b.pattern) })
	return s, nil
}

// checkNames: the first segment of a path is an environment or a service.
func (r *Router) checkNames() error {
	for _, env := range r.environments {
		for name := range env.services {
			if r.environments[name] != nil {
				return fmt.Errorf("%q is the name of an environment and of a service in %s: rename the environment", name, env.name)
			}
		}
	}
	return nil
}

// arrangeHosts orders the services of each host by prefix and notes which lie
// below others. Hosts that name no upstream in particular are forgotten.
func (r *Router) arrangeHosts() error {
	for host, services := range r.hosts {
		slices.SortStableFunc(services, func(a, b *service) int { return cmp.Compare(len(b.base), len(a.base)) })
		for i, s := range services {
			for _, other := range services[i+1:] {
				if err := s.relate(other); err != nil {
					return err
				}
			}
		}
		r.hosts[host] = slices.DeleteFunc(services, func(s *service) bool { return s.ambiguous })
		if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil || host == "localhost" {
			delete(r.hosts, host)
		}
	}
	return nil
}

// relate compares s with another service of the same host name, whose prefix
// is not longer. What begins below the other's prefix must not be reached by
// way of it: grants and restrictions differ.
func (s *service) relate(other *service) error {
	own, err := pathpattern.Fold(s.base)
	if err != nil {
		return fmt.Errorf("upstream %s: %w", s.Upstream, err)
	}
	base, err := pathpattern.Fold(other.base)
	if err != nil {
		return fmt.Errorf("upstream %s: %w", other.Upstream, err)
	}
	if own == base {
		s.ambiguous, other.ambiguous = true, true
		return nil
	}
	rest, below := cutPrefix(own, base)
	if below && strings.EqualFold(s.Upstream.Host, other.Upstream.Host) {
		other.nested = append(other.nested, rest)
		other.restricted = true
	}
	return nil
}
