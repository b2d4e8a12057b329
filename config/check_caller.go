package config

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// exampleKeys returns the digests of keys that are printed in the examples:
// "test" and "test2".
func exampleKeys() []string {
	return []string{
		"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
		"60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752",
	}
}

// String returns the digest in hexadecimal.
func (d Digest) String() string { return fmt.Sprintf("%x", d[:]) }

// callers checks who may call and what each may do.
func (c *checker) callers() {
	seen := map[string]string{} // identities, with who has them
	for _, name := range sortedKeys(c.Callers) {
		path, caller := join("callers", name), c.Callers[name]
		c.keys(path, caller, seen)
		c.otherIdentities(path, caller, seen)
		if len(caller.Keys)+len(caller.Certificates)+len(caller.Subjects) == 0 {
			c.warnf(path, "has no keys, certificates or subjects: nobody can be this caller")
		}
		if len(caller.Access) == 0 {
			c.errorf(path+".access", "is empty: a caller needs at least one entry")
		}
		for i, a := range caller.Access {
			c.access(index(path+".access", i), a)
		}
		c.repeatedCredentials(path, caller)
		c.ambiguousAccess(path, caller)
		if e := caller.Environment; e != "" && !slices.ContainsFunc(caller.Access, func(a Access) bool { return c.accessEnvironment(a) == e }) {
			c.errorf(path+".environment", "%q is not among the environments of its access", e)
		}
		c.share(caller.Share, func(text string) { c.errorf(path+".share", "%s", text) })
		if l := caller.RateLimit; l.Burst > 0 && l.Rate.IsZero() {
			c.errorf(path+".rate_limit.burst", "has no meaning without a rate")
		}
	}
}

// once refuses an identity that two entries have.
func (c *checker) once(seen map[string]string, identity, path, text string) {
	if other, taken := seen[identity]; taken {
		c.errorf(path, "%s also stands in %s", text, other)
		return
	}
	seen[identity] = path
}

func (c *checker) keys(path string, caller Caller, seen map[string]string) {
	exposed, isExposed := c.exposed()
	for i, k := range caller.Keys {
		at := index(path+".keys", i)
		c.once(seen, "id "+k.ID, at+".id", fmt.Sprintf("%q", k.ID))
		c.once(seen, k.SHA256.String(), at+".sha256", "the same key")
		if isExposed && slices.Contains(exampleKeys(), k.SHA256.String()) {
			c.errorf(at+".sha256", "is a published example key, and %s %s is not loopback: make one with `gateway key new`", exposed.path, exposed.address)
		}
		if c.past(k.Expires) {
			c.warnf(at+".expires", "the key expired on %s", k.Expires.UTC().Format("2006-01-02"))
		}
	}
}

func (c *checker) past(d Date) bool {
	return !d.IsZero() && !c.now.IsZero() && d.Before(c.now)
}

// accessEnvironment returns the environment that an access is for.
func (c *Config) accessEnvironment(a Access) string {
	if a.Credential == passthrough {
		return a.Environment
	}
	return c.Credentials[a.Credential].Environment
}

func (c *checker) access(path string, a Access) {
	if a.Credential == passthrough && a.Until.IsZero() {
		c.errorf(path+".until", "is missing: a passthrough has to end some day; write the last one, until: \"YYYY-MM-DD\"")
	}
	if c.past(a.Until) {
		c.warnf(path+".until", "this access ended on %s", a.Until.UTC().Format("2006-01-02"))
	}
	if len(a.Services) == 0 {
		c.errorf(path+".services", `is empty: name services, or "*"`)
	}
	environment := c.environments[c.accessEnvironment(a)]
	named := map[string]string{}
	for _, name := range sortedKeys(a.Services) {
		at := join(path+".services", name)
		c.grant(at, a.Services[name])
		if name == "*" {
			continue
		}
		s, known := environment.Service(name)
		switch {
		case !known:
			c.errorf(at, "there is no service of this name in environment %s%s", environment.Name, didYouMean(name, sortedKeys(environment.names)))
			continue
		case s.Upstream == nil:
			c.errorf(at, "is not available in environment %s: %s", environment.Name, s.Reason)
		}
		if other, twice := named[s.Name]; twice {
			c.errorf(at, "names the same service as %s: write one", other)
		}
		named[s.Name] = name
	}
}

func (c *checker) grant(path string, g Grant) {
	if g.Level == "" && len(g.Methods) == 0 && len(g.Paths) == 0 {
		c.errorf(path, "grants nothing: write read, write, or methods and paths")
	}
	if g.Level != "" && len(g.Methods) > 0 {
		c.errorf(path, "has a level and methods: write one of them")
	}
	for i, m := range g.Methods {
		switch {
		case m == "" || strings.Trim(m, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") != "":
			c.errorf(index(path+".methods", i), "%q is no method: write GET, POST and the like in capitals", m)
		case m == http.MethodConnect || m == http.MethodTrace:
			c.errorf(index(path+".methods", i), "%q is never forwarded: remove it", m)
		}
	}
}

// covers reports whether an access grants anything on a service.
func (a Access) covers(s *EffectiveService) bool {
	if s.Upstream == nil {
		return false
	}
	if _, all := a.Services["*"]; all && !s.Sensitive {
		return true
	}
	for name := range a.Services {
		if name == s.Name || slices.Contains(s.Aliases, name) {
			return true
		}
	}
	return false
}

// reach warns of services that were configured for nobody.
func (c *checker) reach() {
	warn := func(path string, name string, environments []string) {
		for _, environment := range environments {
			s, known := c.environments[environment].Service(name)
			if known && s.Upstream == nil || c.reachable(environment, s) {
				return
			}
		}
		c.warnf(path, "no caller can reach this service")
	}
	for _, name := range sortedKeys(c.Services) {
		if c.at(join("services", name)).written() {
			warn(join("services", name), name, c.EnvironmentNames())
		}
	}
	for _, environment := range sortedKeys(c.Environments) {
		for _, name := range sortedKeys(c.Environments[environment].Services) {
			warn(join(join("environments", environment)+".services", name), name, []string{environment})
		}
	}
}

func (c *checker) reachable(environment string, s *EffectiveService) bool {
	if s == nil {
		return false
	}
	for _, caller := range c.Callers {
		for _, a := range caller.Access {
			if c.accessEnvironment(a) == environment && a.covers(s) {
				return true
			}
		}
	}
	return false
}
