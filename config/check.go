package config

import (
	"slices"
	"strings"
	"time"
)

// checker refuses what can be read but not meant, and warns of what is
// probably not meant. It changes nothing but the report.
type checker struct {
	*Config
	report  *report
	builtIn *builtInLayer
	now     time.Time
}

// at returns where the value at a key path was written, or else the nearest
// thing above it that was.
func (c *checker) at(path string) Origin {
	for {
		if at := lookup(c.tree, path); at.written() || path == "" {
			return at
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
}

func (c *checker) errorf(path, format string, args ...any) {
	c.report.errorf(c.at(path), path, format, args...)
}

func (c *checker) warnf(path, format string, args ...any) {
	c.report.warnf(c.at(path), path, format, args...)
}

// references checks names that stand for something written elsewhere. It needs
// no value but names, so it runs however wrong other values are.
func (c *checker) references() {
	c.environmentNames()
	c.serviceNames()
	c.credentialNames()
	c.callerNames()
}

// meaning checks values against each other.
func (c *checker) meaning() {
	c.listeners()
	c.serverTLS()
	c.stores()
	c.telemetry()
	c.tokenEndpoint()
	for _, name := range sortedKeys(c.Credentials) {
		c.credential(name, c.Credentials[name])
	}
	c.upstreams()
	for _, name := range c.EnvironmentNames() {
		for _, s := range c.environments[name].Services() {
			c.service(s)
		}
	}
	c.writtenWaits()
	c.callers()
	c.guarantees()
	c.idleShares()
	c.idleCaches()
	c.reach()
}

// broken reports whether a value was refused already.
func (c *checker) broken(path string) bool {
	at := c.at(path)
	return slices.ContainsFunc(c.report.errors, func(p Problem) bool { return p.Key == path && p.Origin == at })
}

func (c *checker) shareNames(path string, s Service) {
	for _, caller := range sortedKeys(s.Quota.Shares) {
		if _, known := c.Callers[caller]; !known {
			c.errorf(join(path+".quota.shares", caller), "there is no caller of this name%s", didYouMean(caller, sortedKeys(c.Callers)))
		}
	}
}

// passthrough is the credential of callers that bring their own token.
const passthrough = "passthrough"

func (c *checker) credentialNames() {
	for _, name := range sortedKeys(c.Credentials) {
		path := join("credentials", name)
		if name == passthrough {
			c.errorf(path, "the name passthrough is reserved for callers' own tokens: use another")
		}
		c.environmentName(path+".environment", c.Credentials[name].Environment)
	}
}

func (c *checker) environmentName(path, name string) {
	if _, known := c.Environments[name]; !known && name != "" {
		c.errorf(path, "%q is no environment%s: there are %s", name, didYouMean(name, sortedKeys(c.Environments)), strings.Join(sortedKeys(c.Environments), ", "))
	}
}

func (c *checker) callerNames() {
	for _, name := range sortedKeys(c.Callers) {
		path, caller := join("callers", name), c.Callers[name]
		c.environmentName(path+".environment", caller.Environment)
		for i, a := range caller.Access {
			c.accessNames(index(path+".access", i), a)
		}
		for i, s := range caller.Subjects {
			if !slices.ContainsFunc(c.Auth.JWT, func(j JWTIssuer) bool { return j.Issuer == s.Issuer }) {
				c.errorf(index(path+".subjects", i)+".issuer", "%q is no issuer of auth.jwt: add it there", s.Issuer)
			}
		}
	}
}

func (c *checker) accessNames(path string, a Access) {
	c.environmentName(path+".environment", a.Environment)
	if a.Credential == passthrough {
		if a.Environment == "" {
			c.errorf(path+".environment", "is missing: a passthrough must say whose tokens it takes")
		}
		return
	}
	credential, known := c.Credentials[a.Credential]
	switch {
	case a.Credential == "": // required, so reported
	case !known:
		c.errorf(path+".credential", "there is no credential %q%s", a.Credential, didYouMean(a.Credential, append(sortedKeys(c.Credentials), passthrough)))
	case a.Environment != "" && a.Environment != credential.Environment:
		c.errorf(path+".environment", "%q is not the environment of credential %s, %s: remove the key", a.Environment, a.Credential, credential.Environment)
	}
}
