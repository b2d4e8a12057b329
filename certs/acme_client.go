package certs

import (
	"cmp"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/caddyserver/certmagic"
)

// acmeClient are the library's parts that hang on what may change: the roots that
// the CA is verified with.
type acmeClient struct {
	config *certmagic.Config
	http   *certmagic.ACMEIssuer // nil = no HTTP-01
}

// noEmail is an account without a contact. Where an order is tried once, the
// library asks the terminal for an address that is missing; it cuts spaces later.
const noEmail = " "

// start makes the library's parts: they have goroutines of their own from the
// beginning.
func (a *ACME) start() {
	a.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert:   func(certmagic.Certificate) (*certmagic.Config, error) { return a.client.Load().config, nil },
		RenewCheckInterval: renewLook,
		OCSPCheckInterval:  24 * time.Hour, // there is nothing to do: see DisableStapling
		Logger:             newZap(a.options.Log),
	})
	a.client.Store(a.newClient())
	close(a.ready)
}

// Refresh has orders verify the CA with the roots as they are now, and those that
// have failed be tried again at once. Orders under way end as they began.
func (a *ACME) Refresh() {
	if a.client.Load() != nil {
		a.client.Store(a.newClient())
	}
}

func (a *ACME) newClient() *acmeClient {
	log := newZap(a.options.Log)
	config := certmagic.Config{
		Storage: a.options.Storage, Logger: log, OnEvent: a.event,
		ShouldEmitFunc:    func(event string) bool { return event == "cert_obtained" || event == "cert_failed" },
		DefaultServerName: a.domains[0], FallbackServerName: a.domains[0],
		// CAs end OCSP, and an internal one has no responder that clients ask.
		OCSP: certmagic.OCSPConfig{DisableStapling: true},
	}
	c := &acmeClient{config: certmagic.New(a.cache, config)}
	template := certmagic.ACMEIssuer{
		CA: a.options.CA, Email: cmp.Or(a.options.Email, noEmail), Agreed: true, Logger: log,
		HTTPProxy: func(*http.Request) (*url.URL, error) { return nil, nil }, //nolint:nilnil // no proxy, whatever the environment says
	}
	if template.CA == "" {
		template.CA = certmagic.LetsEncryptProductionCA
	}
	if a.options.Roots != nil {
		template.TrustedRoots = a.options.Roots.Pool()
	}
	alpn := template
	alpn.DisableHTTPChallenge = true
	alpn.ListenHost, alpn.AltTLSALPNPort = hostPort(a.listeners.server)
	// Two issuers of one CA: each challenge has a listener of its own, and the
	// library knows one host for both.
	issuers := []certmagic.Issuer{certmagic.NewACMEIssuer(c.config, alpn)}
	if a.options.HTTP {
		template.DisableTLSALPNChallenge = true
		template.ListenHost, template.AltHTTPPort = hostPort(a.listeners.http)
		c.http = certmagic.NewACMEIssuer(c.config, template)
		issuers = []certmagic.Issuer{c.http, issuers[0]}
	}
	c.config.Issuers = issuers
	return c
}

func hostPort(a net.Addr) (string, int) {
	if a == nil {
		return "", 0
	}
	host, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return "", 0
	}
	n, _ := strconv.Atoi(port)
	return host, n
}
