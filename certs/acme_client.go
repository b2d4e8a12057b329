package certs

import (
	"context"
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
	// serving chooses certificates, and renews them in the background.
	serving *certmagic.Config
	// ordering is for orders that are tried once.
	ordering *certmagic.Config
	http     *certmagic.ACMEIssuer // nil = no HTTP-01
}

// unattended has the library not ask on the terminal for what is missing, as it
// does when it tries only once.
type unattended struct{ *certmagic.ACMEIssuer }

// PreCheck implements certmagic.PreChecker.
func (u unattended) PreCheck(ctx context.Context, names []string, _ bool) error {
	return u.ACMEIssuer.PreCheck(ctx, names, false)
}

// start makes the library's parts: they have goroutines of their own from the
// beginning.
func (a *ACME) start() {
	a.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert:   func(certmagic.Certificate) (*certmagic.Config, error) { return a.client.Load().serving, nil },
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
	c := &acmeClient{serving: certmagic.New(a.cache, config), ordering: certmagic.New(a.cache, config)}
	template := certmagic.ACMEIssuer{
		CA: a.options.CA, Email: a.options.Email, Agreed: true, Logger: log,
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
	issuers := []*certmagic.ACMEIssuer{certmagic.NewACMEIssuer(c.serving, alpn)}
	if a.options.HTTP {
		template.DisableTLSALPNChallenge = true
		template.ListenHost, template.AltHTTPPort = hostPort(a.listeners.http)
		c.http = certmagic.NewACMEIssuer(c.serving, template)
		issuers = []*certmagic.ACMEIssuer{c.http, issuers[0]}
	}
	c.serving.Issuers, c.ordering.Issuers = nil, nil
	for _, issuer := range issuers {
		c.serving.Issuers = append(c.serving.Issuers, issuer)
		c.ordering.Issuers = append(c.ordering.Issuers, unattended{issuer})
	}
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
