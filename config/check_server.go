package config

import (
	"net"
	"net/url"
	"slices"
	"strings"
)

type listener struct {
	path    string
	address HostPort
}

// listeners checks addresses against each other and against what crosses them.
func (c *checker) listeners() {
	all := []listener{{"server.address", c.Server.Address}, {"admin.address", c.Admin.Address}, {"server.tls.acme.http_address", c.Server.TLS.ACME.HTTPAddress}}
	if c.Status != nil {
		all = append(all, listener{"status.address", c.Status.Address})
	}
	if p := c.Server.ForwardProxy; p != nil {
		all = append(all, listener{"server.forward_proxy.address", p.Address})
		if !p.Address.Loopback() {
			c.errorf("server.forward_proxy.address", "%q is not loopback: keys of callers would cross the network readable", p.Address)
		}
	}
	first := map[HostPort]string{}
	for _, l := range all {
		if l.address == "" || strings.HasSuffix(string(l.address), ":0") {
			continue
		}
		if other, taken := first[l.address]; taken {
			if !lookup(c.tree, l.path).written() {
				l.path, other = other, l.path
			}
			c.errorf(l.path, "%q is also %s: each listener needs an address of its own", l.address, other)
		}
		first[l.address] = l.path
	}
	if a := c.Admin; !a.Address.Loopback() && !a.Token.Set() && a.TLS.ClientCAFile == "" {
		c.errorf("admin.address", "%q is not loopback, so admin.token is required, or client certificates by admin.tls.client_ca_file", a.Address)
	}
	if a := c.Admin; a.Pprof && !a.Token.Set() && a.TLS.ClientCAFile == "" {
		c.errorf("admin.pprof", "profiles may hold secrets, so admin.token is required, or client certificates by admin.tls.client_ca_file")
	}
	c.pairedFiles("admin.tls", c.Admin.TLS.CertFile, c.Admin.TLS.KeyFile)
	if t := c.Admin.TLS; t.ClientCAFile != "" && t.CertFile == "" {
		c.errorf("admin.tls.client_ca_file", "needs cert_file and key_file beside it")
	}
	c.memory()
	c.hostNames("server.hosts", c.Server.Hosts)
	c.hostNames("admin.hosts", c.Admin.Hosts)
}

// memory refuses a cache that would leave the requests themselves no room: once
// it is full, every request would be refused for want of memory.
func (c *checker) memory() {
	most := c.Server.Limits.MaxMemory
	if most != Auto && most > 0 && c.Cache.Memory > Size(most)/2 {
		c.errorf("server.limits.max_memory", "%s is less than twice cache.memory (%s): a full cache would leave too little for requests; raise it, or lower cache.memory", Size(most), c.Cache.Memory)
	}
}

func (c *checker) hostNames(path string, names []string) {
	for i, name := range names {
		if err := checkHost(name, name, ""); err != nil || strings.ContainsAny(name, ":/*") {
			c.errorf(index(path, i), "%q is no host name; write it without scheme and port", name)
		}
	}
}

func (c *checker) pairedFiles(path string, cert, key File) {
	if cert != "" && key == "" {
		c.errorf(path+".key_file", "is missing: cert_file needs it")
	}
	if cert == "" && key != "" {
		c.errorf(path+".cert_file", "is missing: key_file needs it")
	}
}

func (c *checker) serverTLS() {
	t := c.Server.TLS
	switch {
	case t.Mode == "files" && len(t.Certificates) == 0:
		c.errorf("server.tls.certificates", "is empty, and mode files needs one: add cert_file and key_file, or use self_signed or acme")
	case t.Mode == "acme" && len(t.ACME.Domains) == 0:
		c.errorf("server.tls.acme.domains", "is empty, and mode acme needs the names to get certificates for")
	case t.Mode == none && !c.Server.Address.Loopback() && !t.AllowPlaintext:
		c.errorf("server.tls.mode", "%q at %s, which is not loopback: use TLS, or set server.tls.allow_plaintext: true", t.Mode, c.Server.Address)
	case t.Mode == none && t.ClientCAFile != "":
		c.errorf("server.tls.client_ca_file", "has no meaning with mode none: client certificates need TLS")
	}
	c.acme()
	c.hostNames("server.tls.acme.domains", t.ACME.Domains)
	c.secureURL("server.tls.acme.ca", t.ACME.CA)
}

// secureURL refuses plain HTTP beyond loopback.
func (c *checker) secureURL(path string, u *url.URL) {
	if insecure(u) {
		c.errorf(path, "%q is plain HTTP beyond loopback: use https", u)
	}
}

func insecure(u *url.URL) bool {
	return u != nil && u.Scheme != "https" && !isLoopback(u.Hostname())
}

func (c *checker) stores() {
	c.idleTier()
	r := c.Redis
	if r == nil {
		return
	}
	switch {
	case len(r.Addresses) == 0:
		c.errorf("redis.addresses", "is empty: name at least one server")
	case r.Mode == "sentinel" && r.MasterName == "":
		c.errorf("redis.master_name", "is missing: mode sentinel needs the master's name")
	case r.Mode == "single" && len(r.Addresses) > 1:
		c.errorf("redis.addresses", "has %d servers, mode single has one: use mode sentinel, cluster or auto", len(r.Addresses))
	case len(r.EncryptionKeys) > 0 && !r.NameKey.Set():
		c.errorf("redis.name_key", "is missing: without it the names of keys would tell which callers and credentials there are; make one with `openssl rand -base64 32` and never change it")
	case r.KeyPrefix == "" || strings.ContainsAny(r.KeyPrefix, "{} *?"):
		c.errorf("redis.key_prefix", "%q cannot begin key names: use letters, digits, - and :", r.KeyPrefix)
	}
	if len(r.EncryptionKeys) == 0 {
		c.warnf("redis", "has no encryption_keys: tokens and certificates stay out of Redis, so each replica gets its own")
	}
}

func (c *checker) telemetry() {
	t := c.Telemetry.Traces
	if t.Exporter == "otlp" && t.Endpoint == nil {
		c.errorf("telemetry.traces.endpoint", "is missing: exporter otlp needs the collector's URL")
	}
	if out := c.Telemetry.Audit.Output; !slices.Contains([]string{"stdout", "stderr", none}, out) && !strings.ContainsAny(out, `/\`) {
		c.errorf("telemetry.audit.output", "%q is none of stdout, stderr, none, nor the path of a file: write ./%s", out, out)
	}
	c.traceURL(t.TraceURL)
}

// traceURL is shown to callers, who are to follow it.
func (c *checker) traceURL(text string) {
	const key = "telemetry.traces.trace_url"
	if text == "" {
		return
	}
	if !strings.Contains(text, "{trace_id}") {
		c.errorf(key, "%q has no {trace_id} in it", text)
	}
	u, err := url.Parse(strings.ReplaceAll(text, "{trace_id}", "0"))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		c.errorf(key, "%q is no http or https URL, as http://jaeger:16686/trace/{trace_id}", text)
	}
}

func (c *checker) tokenEndpoint() {
	if e := c.Auth.TokenEndpoint; e.Enabled && !e.SigningKey.Set() {
		c.errorf("auth.token_endpoint.signing_key", "is missing: an enabled token endpoint needs it")
	}
	c.keyHeaders()
	c.issuers()
}

// exposed returns the first listener of callers that others than this machine
// can reach.
func (c *checker) exposed() (listener, bool) {
	if !c.Server.Address.Loopback() {
		return listener{"server.address", c.Server.Address}, true
	}
	return listener{}, false
}

// resolver refuses an address without a host, which only a listener can have.
func (c *checker) resolver(path string, address HostPort) {
	if host, _, err := net.SplitHostPort(string(address)); address != "" && (err != nil || host == "") {
		c.errorf(path, "%q has no host", address)
	}
}
