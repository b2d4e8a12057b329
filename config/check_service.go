package config

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"

	"iqgateway/internal/exchange"
	"iqgateway/internal/pathpattern"
)

// upstreams checks where requests go: no two environments to one place, no
// token in the open.
func (c *checker) upstreams() {
	first := map[string]*EffectiveService{} // by place
	reported := map[string]bool{}
	for _, name := range c.EnvironmentNames() {
		e := c.environments[name]
		path := join("environments", name)
		c.pairedFiles(path+".upstream_tls", e.UpstreamTLS.CertFile, e.UpstreamTLS.KeyFile)
		c.resolver(path+".resolver", e.Resolver)
		for _, s := range e.Services() {
			if s.Upstream == nil {
				continue
			}
			key, at := c.upstreamKey(e, s)
			if insecure(s.Upstream) && !e.AllowPlaintext && !reported[key+" plain"] {
				reported[key+" plain"] = true
				c.report.errorf(at, key, "%s is plain HTTP beyond loopback: use https, or set environments.%s.allow_plaintext: true", s.Upstream, name)
			}
			if !c.inUse(name) {
				continue
			}
			other, taken := first[placeOf(s.Upstream)]
			if !taken {
				first[placeOf(s.Upstream)] = s
				continue
			}
			if other.Environment != name && !reported[key] {
				reported[key] = true
				c.report.errorf(at, key, "%s serves environments %s: data of one would answer for the other; put {suffix} into the URL, or give each environment its own",
					s.Upstream, bothOf(other, s))
			}
		}
	}
}

// placeOf spells a URL in the one way that all URLs of its place have.
func placeOf(u *url.URL) string {
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if addr, err := netip.ParseAddr(host); err == nil {
		host = addr.Unmap().String()
	}
	port := cmp.Or(u.Port(), exchange.DefaultPort(u.Scheme))
	return u.Scheme + "://" + net.JoinHostPort(host, port) + u.Path
}

// bothOf names the environments of two services, and the services where they
// differ.
func bothOf(a, b *EffectiveService) string {
	if a.Name == b.Name {
		return a.Environment + " and " + b.Environment
	}
	return fmt.Sprintf("%s (as %s) and %s (as %s)", a.Environment, a.Name, b.Environment, b.Name)
}

// upstreamKey returns the setting that decides a service's upstream.
func (c *checker) upstreamKey(e *EffectiveEnvironment, s *EffectiveService) (string, Origin) {
	own := join("environments", e.Name)
	switch {
	case s.URL != "" && (e.URL == "" || subtree(c.tree, "environments", e.Name, "services", s.Name)["url"] != nil):
		return c.keyOf(s, "url")
	case e.URL != "":
		return own + ".url", c.at(own + ".url")
	default:
		return own + ".suffix", c.at(own + ".suffix")
	}
}

// keyOf returns the key path under which a service's setting was written.
func (c *checker) keyOf(s *EffectiveService, setting string) (string, Origin) {
	at := lookup(s.tree, setting)
	for _, above := range []string{join(join("environments", s.Environment)+".services", s.Name), join("services", s.Name), "defaults"} {
		if path := above + "." + setting; at.written() && lookup(c.tree, path) == at {
			return path, at
		}
	}
	return join("services", s.Name) + "." + setting, at
}

// inUse tells environments that are written or referred to from those that are
// merely built in.
func (c *checker) inUse(environment string) bool {
	if lookup(c.tree, join("environments", environment)).written() {
		return true
	}
	for _, cred := range c.Credentials {
		if cred.Environment == environment {
			return true
		}
	}
	for _, caller := range c.Callers {
		for _, a := range caller.Access {
			if a.Environment == environment {
				return true
			}
		}
	}
	return false
}

// service checks the settings of one service against each other.
func (c *checker) service(s *EffectiveService) {
	fail := func(setting, format string, args ...any) {
		key, at := c.keyOf(s, setting)
		c.report.errorf(at, key, format, args...)
	}
	if s.Ping != "" && !strings.HasPrefix(s.Ping, "/") {
		fail("ping", "%q is no path: it must begin with /", s.Ping)
	}
	if s.Host != "" && !isName(s.Host) {
		fail("host", "%q is no host stem: use a-z, 0-9 and -", s.Host)
	}
	if s.Breaker.OpenFor > s.Breaker.OpenForMax {
		fail("breaker.open_for", "%q is longer than open_for_max, %s",
			asWritten(s.tree, "breaker.open_for", s.Breaker.OpenFor), asWritten(s.tree, "breaker.open_for_max", s.Breaker.OpenForMax))
	}
	if s.Breaker.FailureRatio == 0 {
		fail("breaker.failure_ratio", "0 opens the breaker on success: write a part above 0")
	}
	c.forwarded(s, fail)
	for i, e := range s.SideEffects {
		if e.Parameter == "" && len(e.Values) > 0 {
			fail("side_effects", "entry %d has values but no parameter", i)
		}
	}
	c.rules(s, fail)
	c.reads(s, fail)
	for _, name := range sortedKeys(s.Quota.Shares) {
		c.share(s.Quota.Shares[name], func(text string) { fail(join("quota.shares", name), "%s", text) })
	}
	c.quota(s, fail)
	c.lostDenials(s)
}

// reads refuses two entries that would match the same paths equally well.
func (c *checker) reads(s *EffectiveService, fail func(setting, format string, args ...any)) {
	for i, a := range s.Reads {
		for j, b := range s.Reads[:i] {
			if pathpattern.Compare(a.Path, b.Path) == 0 {
				fail(index("reads", i)+".path", "%q is as specific as %q in entry %d: remove one", a.Path, b.Path, j)
			}
		}
	}
}

func (c *checker) share(s Share, fail func(string)) {
	g, most := s.Guarantee, s.Cap
	if g.Percent > 0 && most.Percent > 0 && g.Percent > most.Percent || g.Tokens > 0 && most.Tokens > 0 && g.Tokens > most.Tokens {
		fail(fmt.Sprintf("guarantee %s is above cap %s", g, most))
	}
}

// lostDenials warns where a list of the configuration replaced denials of the
// catalogue.
func (c *checker) lostDenials(s *EffectiveService) {
	own := lookup(s.tree, "denied")
	if !own.written() {
		return
	}
	kept := map[string]bool{}
	for _, p := range s.Denied {
		kept[p.String()] = true
	}
	var lost []string
	for _, p := range c.catalogueDenied(s) {
		if !kept[p] {
			lost = append(lost, p)
		}
	}
	if len(lost) > 0 {
		key, at := c.keyOf(s, "denied")
		c.report.warnf(at, key, "replaces what the catalogue denies: add %s to keep it denied", strings.Join(lost, ", "))
	}
}

func (c *checker) catalogueDenied(s *EffectiveService) []string {
	denied, _ := c.builtIn.Settings(s.Environment, s.Name)["denied"].(leaf)
	var all []string
	for _, item := range denied.Items {
		if l, ok := item.(leaf); ok {
			all = append(all, l.Text)
		}
	}
	return all
}

// writtenWaits refuses a wait longer than the total where both stand in one
// place; where the total stands elsewhere the wait is cut, which is a warning
// if the wait was written for the service itself.
func (c *checker) writtenWaits() {
	c.waits("defaults", c.Defaults)
	for _, name := range sortedKeys(c.Services) {
		c.waits(join("services", name), c.Services[name])
	}
	for _, environment := range sortedKeys(c.Environments) {
		services := c.Environments[environment].Services
		for _, name := range sortedKeys(services) {
			c.waits(join(join("environments", environment)+".services", name), services[name])
		}
		for _, s := range c.environments[environment].Services() {
			c.cutWaits(s)
		}
	}
}

func (c *checker) waits(path string, s Service) {
	total, wait := s.Timeouts.Total, s.Quota.MaxWait
	for key, d := range map[string]Duration{"interactive": wait.Interactive, "batch": wait.Batch, "background": wait.Background, "unsafe": wait.Unsafe} {
		if total > 0 && d > total {
			at := path + ".quota.max_wait." + key
			c.errorf(at, "%q is longer than timeouts.total, %q, which includes it", asWritten(c.tree, at, d), asWritten(c.tree, path+".timeouts.total", total))
		}
	}
}

// asWritten returns a duration in the spelling that the operator chose.
func asWritten(t tree, path string, d Duration) string {
	if l, ok := find(t, path).(leaf); ok && l.Text != "" {
		return l.Text
	}
	return shortDuration(d)
}

func (c *checker) cutWaits(s *EffectiveService) {
	for key, note := range s.notes {
		path, at := c.keyOf(s, key)
		if at.written() && !strings.HasPrefix(path, "defaults.") {
			c.report.warnf(at, path, "is longer than the total timeout%s", note)
		}
	}
}
