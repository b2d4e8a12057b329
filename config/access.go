package config

import (
	"maps"
	"net/http"
	"slices"
)

// resolveAccess completes the access of callers, once everything is checked:
// each entry has its environment, and services have their names in place of
// aliases.
func (c *Config) resolveAccess(k *checker) {
	for name, caller := range c.Callers {
		for i, a := range caller.Access {
			a.Environment = k.accessEnvironment(a)
			services := maps.Clone(a.Services)
			clear(services)
			for service, grant := range a.Services {
				if s, known := c.environments[a.Environment].Service(service); known {
					service = s.Name
				}
				services[service] = grant
			}
			a.Services = services
			caller.Access[i] = a
		}
		c.Callers[name] = caller
	}
}

// Writable reports whether some caller may change something in a service, now
// or later.
func (c *Config) Writable(s *EffectiveService) bool {
	return c.grants(s, Grant.writes)
}

// Reached reports whether some caller has a grant on a service, now or later.
func (c *Config) Reached(s *EffectiveService) bool {
	return c.grants(s, func(Grant) bool { return true })
}

// CredentialsOf returns the credentials with which some caller may use a service,
// now or later, sorted.
func (c *Config) CredentialsOf(s *EffectiveService) []string {
	used := map[string]bool{}
	for _, caller := range c.Callers {
		for _, a := range caller.Access {
			if a.Environment == s.Environment && a.covers(s) && a.Credential != passthrough {
				used[a.Credential] = true
			}
		}
	}
	return sortedKeys(used)
}

// grants reports whether some caller has a grant on a service that is as asked.
func (c *Config) grants(s *EffectiveService, is func(Grant) bool) bool {
	for _, caller := range c.Callers {
		for _, a := range caller.Access {
			if a.Environment == s.Environment && a.covers(s) && is(a.grantOf(s)) {
				return true
			}
		}
	}
	return false
}

// grantOf returns what an access that covers a service grants there. Services
// have their names in it already.
func (a Access) grantOf(s *EffectiveService) Grant {
	if g, named := a.Services[s.Name]; named {
		return g
	}
	return a.Services["*"]
}

// writes reports whether a grant goes beyond reading. A POST may turn out to be
// one that reads.
func (g Grant) writes() bool {
	return g.Level == "write" || slices.ContainsFunc(g.Methods, func(m string) bool {
		return m != http.MethodGet && m != http.MethodHead && m != http.MethodOptions
	})
}
