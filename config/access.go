package config

import "maps"

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
