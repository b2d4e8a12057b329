package config

import (
	"fmt"
	"iter"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strings"
)

// EffectiveEnvironment is an environment with everything that holds in it.
type EffectiveEnvironment struct {
	Environment
	Name string

	services map[string]*EffectiveService
	names    map[string]string // services by name and alias
}

// Service returns a service by its name or an alias.
func (e *EffectiveEnvironment) Service(name string) (*EffectiveService, bool) {
	s, ok := e.services[e.names[name]]
	return s, ok
}

// Services returns all services by name, those that are not proxied too.
func (e *EffectiveEnvironment) Services() []*EffectiveService {
	all := make([]*EffectiveService, 0, len(e.services))
	for _, name := range sortedKeys(e.services) {
		all = append(all, e.services[name])
	}
	return all
}

// EffectiveService is the settings of a service in one environment, merged
// from all sources and checked. It must not be changed.
type EffectiveService struct {
	Service
	Environment string
	Name        string
	// Upstream is where its requests go: scheme, host and path prefix without a
	// slash at the end. nil when it is not proxied; Reason then says why.
	Upstream *url.URL
	// CatalogueRules are the catalogue's cache rules. Every rule of Cache.Rules
	// beats them; Cache.Catalogue says what becomes of them.
	CatalogueRules []CacheRule
	// InCatalogue is false for a service that only the configuration knows.
	InCatalogue bool

	tree  tree
	notes map[string]string // what was changed after merging, by key path
}

// Source says where the setting at a key path (quota.max) comes from:
// "default", "catalogue", "gateway.yaml:88", "IQGW_SERVICES__CRM__QUOTA__MAX",
// with a note where it was cut.
func (s *EffectiveService) Source(key string) string {
	return lookup(s.tree, key).String() + s.notes[key]
}

// Environment returns an environment by name.
func (c *Config) Environment(name string) (*EffectiveEnvironment, bool) {
	e, ok := c.environments[name]
	return e, ok
}

// EnvironmentNames returns all environments, the built-in ones too, sorted.
func (c *Config) EnvironmentNames() []string {
	return sortedKeys(c.environments)
}

// Origin returns scheme and host of the upstream of a service that is proxied.
func (s *EffectiveService) Origin() string { return s.Upstream.Scheme + "://" + s.Upstream.Host }

// Proxied are the services that have an upstream, of every environment.
func (c *Config) Proxied() iter.Seq[*EffectiveService] {
	return func(yield func(*EffectiveService) bool) {
		for _, name := range c.EnvironmentNames() {
			for _, s := range c.environments[name].Services() {
				if s.Upstream != nil && !yield(s) {
					return
				}
			}
		}
	}
}

// APIs returns the provider's interfaces, in the catalogue's order.
func (c *Config) APIs() []API { return slices.Clone(c.catalogue.APIs) }

// Source says where the setting at a key path comes from, as
// [EffectiveService.Source] does.
func (c *Config) Source(key string) string { return lookup(c.tree, key).String() }

// Written reports whether the setting at a key path is set by anybody: in a file,
// in the environment or by a flag.
func (c *Config) Written(key string) bool { return lookup(c.tree, key).written() }

// effective merges the settings of services.
type effective struct {
	builtIn *builtInLayer
	decoder *decoder
	config  *Config
}

func (e *effective) environments() map[string]*EffectiveEnvironment {
	all := make(map[string]*EffectiveEnvironment, len(e.config.Environments))
	for _, name := range sortedKeys(e.config.Environments) {
		all[name] = e.environment(name)
	}
	return all
}

func (e *effective) environment(name string) *EffectiveEnvironment {
	result := &EffectiveEnvironment{
		Environment: e.config.Environments[name],
		Name:        name,
		services:    map[string]*EffectiveService{},
		names:       map[string]string{},
	}
	for _, service := range e.serviceNames(name) {
		result.services[service] = e.service(result, service)
		result.names[service] = service
	}
	for _, service := range sortedKeys(result.services) {
		for i, alias := range result.services[service].Aliases {
			if owner, taken := result.names[alias]; taken && owner != service {
				at := lookup(result.services[service].tree, index("aliases", i)) // in every environment alike
				e.decoder.report.errorf(at, index(join("services", service)+".aliases", i), "%q already is a name of service %s", alias, owner)
				continue
			}
			result.names[alias] = service
		}
	}
	return result
}

func (e *effective) serviceNames(environment string) []string {
	names := maps.Clone(e.builtIn.services)
	for name := range e.config.Services {
		names[name] = nil
	}
	for name := range e.config.Environments[environment].Services {
		names[name] = nil
	}
	return sortedKeys(names)
}

// service merges from general to special: defaults < catalogue < services <
// environments.*.services.
// Mappings merge and lists replace, as between the layers of the document.
func (e *effective) service(environment *EffectiveEnvironment, name string) *EffectiveService {
	_, known := e.builtIn.services[name]
	s := &EffectiveService{Environment: environment.Name, Name: name, InCatalogue: known, notes: map[string]string{}}

	fromCatalogue := tree{}
	overlay(fromCatalogue, e.builtIn.services[name])
	overlay(fromCatalogue, e.builtIn.exceptions[environment.Name][name])
	if cache := subtree(fromCatalogue, "cache"); cache["rules"] != nil {
		e.decoder.decode(reflect.ValueOf(&s.CatalogueRules).Elem(), cache["rules"], "services."+name+".cache.rules", rule{}, true)
		delete(cache, "rules")
	}

	own := subtree(e.config.tree, "environments", environment.Name, "services", name)
	merged := tree{}
	for _, t := range []tree{subtree(e.config.tree, "defaults"), fromCatalogue, subtree(e.config.tree, "services", name), own} {
		overlay(merged, t)
	}
	addDenied(merged, e.builtIn.denied)
	s.tree = merged
	e.decoder.mapping(reflect.ValueOf(&s.Service).Elem(), merged, "services."+name, true)
	e.locate(s, environment, own)
	s.cutWaits()
	return s
}

// addDenied keeps what the catalogue denies on every service, also where a
// list of the configuration replaced the service's own: these paths hand out or
// end the token that all callers share.
func addDenied(settings tree, everywhere []string) {
	own, _ := settings["denied"].(leaf)
	denied := leaf{List: true, At: own.At, Items: slices.Clone(own.Items)}
	for _, pattern := range everywhere {
		if !slices.ContainsFunc(denied.Items, func(v any) bool { l, ok := v.(leaf); return ok && l.Text == pattern }) {
			denied.Items = append(denied.Items, leaf{Text: pattern, At: Origin{Layer: layerCatalogue}})
		}
	}
	settings["denied"] = denied
}

// locate finds the upstream.
func (e *effective) locate(s *EffectiveService, environment *EffectiveEnvironment, own tree) {
	if s.Host == "" {
		s.Host = s.Name
	}
	if !s.Proxied {
		if s.Reason == "" {
			s.Reason = "the configuration says so"
		}
		return
	}
	template, prefix := s.URL, PathPrefix("")
	if environment.URL != "" && own["url"] == nil {
		template = ""
	}
	if template == "" && !s.InCatalogue && s.tree["host"] == nil {
		s.Proxied = false
		s.Reason = fmt.Sprintf("environment %s has a url of its own: set environments.%s.services.%s.url, or a host", s.Environment, s.Environment, s.Name)
		return
	}
	if template == "" {
		template, prefix = environment.URL, s.Prefix
	}
	if template == "" {
		template = URLTemplate("https://" + servicePlace + suffixPlace + "." + e.builtIn.Domain)
	}
	u, err := template.Expand(s.Host, environment.Suffix)
	if err != nil {
		e.decoder.report.errorf(lookup(s.tree, "url"), "services."+s.Name+".url", "for environment %s the URL %v", s.Environment, err)
		return
	}
	if prefix != "" {
		u = &url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path + string(prefix)}
	}
	s.Upstream = u
}

// cutWaits cuts waits for quota to the total timeout.
func (s *EffectiveService) cutWaits() {
	total := s.Timeouts.Total
	if total == 0 {
		return
	}
	for key, wait := range s.waits() {
		if *wait > total {
			s.notes["quota.max_wait."+key] = fmt.Sprintf(", cut from %s to timeouts.total (%s)", shortDuration(*wait), s.Source("timeouts.total"))
			*wait = total
		}
	}
}

func (s *EffectiveService) waits() map[string]*Duration {
	w := &s.Quota.MaxWait
	return map[string]*Duration{"interactive": &w.Interactive, "batch": &w.Batch, "background": &w.Background, "unsafe": &w.Unsafe}
}

// lookup returns the place of the value at a key path, of the nearest thing
// above it when that is a list or broken, the default when nobody wrote it.
func lookup(t tree, path string) Origin { return originOf(find(t, path)) }

// find returns what [lookup] speaks of, nil when nobody wrote it.
func find(t tree, path string) any {
	var v any = t
	for path != "" {
		var key string
		key, path = cutKey(path)
		switch at := v.(type) {
		case tree:
			v = at[key]
		case leaf:
			var i int
			if _, err := fmt.Sscanf(key, "[%d]", &i); err == nil && i >= 0 && i < len(at.Items) {
				v = at.Items[i]
				continue
			}
			return at
		default:
			return nil
		}
	}
	return v
}

// cutKey splits the first key off a path as [join] and [index] write it.
func cutKey(path string) (key, rest string) {
	if strings.HasPrefix(path, `"`) {
		if end := strings.IndexByte(path[1:], '"'); end >= 0 {
			return path[1 : end+1], strings.TrimPrefix(path[end+2:], ".")
		}
	}
	end := strings.IndexAny(path[1:], ".[")
	if end < 0 {
		return path, ""
	}
	return path[:end+1], strings.TrimPrefix(path[end+1:], ".")
}
