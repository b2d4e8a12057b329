package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"

	"iqgateway/internal/steady"
)

const (
	// ALPNChallenge is the protocol of TLS-ALPN-01 (RFC 8737), which the callers'
	// listener offers in mode acme.
	ALPNChallenge = "acme-tls/1"

	sourceACME = "acme"
	// renewLook is how often certificates in memory are looked at: whether it is
	// time to renew one, and whether another replica already has. Only in the
	// renewal window does it cost a call to the storage.
	renewLook = 10 * time.Second

	// tornAfter is how often a stored certificate must be found unusable before
	// it is replaced: another replica may be storing it right now.
	tornAfter = 4

	firstRetry = time.Second
	lastRetry  = time.Minute
	// stopTimeout bounds how long an end waits for the library.
	stopTimeout = time.Second
)

// ACMEOptions configure [NewACME].
type ACMEOptions struct {
	// Domains to hold a certificate for; at least one. The first is also served
	// to clients that name none, or another.
	Domains []string
	// Email is the account's contact; "" = none.
	Email string
	// CA is the URL of the directory; "" = Let's Encrypt.
	CA string
	// TrustedRoots is what the CA's own endpoint is verified with; nil = the
	// system's.
	TrustedRoots *x509.CertPool
	// Storage keeps account, certificates and keys, and shares them and the work
	// with other replicas; nil = files in Dir.
	Storage certmagic.Storage
	// Dir is where files are kept without Storage.
	Dir string
	// HTTP also answers HTTP-01 challenges, by [ACME.Challenges].
	HTTP bool
	// Log receives what the ACME client has to say. Required.
	Log *slog.Logger
	// Hooks report what happens; zero = silent.
	Hooks Hooks
}

// ACME gets certificates from a CA (RFC 8555) and renews them when a third of
// their life is left, or when the CA suggests to (RFC 9773). What is in memory
// is served whatever happens to the CA or to the storage.
type ACME struct {
	options ACMEOptions
	domains []string
	starts  sync.Once
	ready   chan struct{} // closed once cache and config are there

	cache  *certmagic.Cache
	config *certmagic.Config
	http   *certmagic.ACMEIssuer // nil = no HTTP-01

	listeners struct{ server, http net.Addr }

	mu       sync.Mutex
	problems map[string]error // of domains
}

var _ Source = (*ACME)(nil)

// NewACME returns an ACME that has no certificate yet; [ACME.Run] gets them.
func NewACME(o ACMEOptions) (*ACME, error) {
	if len(o.Domains) == 0 {
		return nil, errors.New("there is no domain to get a certificate for")
	}
	if o.Storage == nil {
		if o.Dir == "" {
			return nil, errors.New("there is nowhere to keep certificates")
		}
		o.Storage = &certmagic.FileStorage{Path: o.Dir}
	}
	o.Storage = &challengeMemo{Storage: o.Storage}
	a := &ACME{options: o, ready: make(chan struct{}), problems: map[string]error{}}
	for _, d := range o.Domains {
		a.domains = append(a.domains, strings.ToLower(d))
	}
	return a, nil
}

// Listening tells where the listeners are that answer challenges; http is nil
// without one. It is called before Run: the ACME client would else open
// listeners of its own.
func (a *ACME) Listening(server, http net.Addr) { a.listeners.server, a.listeners.http = server, http }

// start makes the library's parts: they have goroutines of their own from the
// beginning.
func (a *ACME) start() {
	log := newZap(a.options.Log)
	a.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert:   func(certmagic.Certificate) (*certmagic.Config, error) { return a.config, nil },
		RenewCheckInterval: renewLook,
		OCSPCheckInterval:  24 * time.Hour, // there is nothing to do: see DisableStapling
		Logger:             log,
	})
	a.config = certmagic.New(a.cache, certmagic.Config{
		Storage: a.options.Storage, Logger: log, OnEvent: a.event,
		ShouldEmitFunc:    func(event string) bool { return event == "cert_obtained" || event == "cert_failed" },
		DefaultServerName: a.domains[0], FallbackServerName: a.domains[0],
		// CAs end OCSP, and an internal one has no responder that clients ask.
		OCSP: certmagic.OCSPConfig{DisableStapling: true},
	})
	template := certmagic.ACMEIssuer{
		CA: a.options.CA, Email: a.options.Email, Agreed: true, TrustedRoots: a.options.TrustedRoots, Logger: log,
		HTTPProxy: func(*http.Request) (*url.URL, error) { return nil, nil }, //nolint:nilnil // no proxy, whatever the environment says
	}
	if template.CA == "" {
		template.CA = certmagic.LetsEncryptProductionCA
	}
	alpn := template
	alpn.DisableHTTPChallenge = true
	alpn.ListenHost, alpn.AltTLSALPNPort = hostPort(a.listeners.server)
	// Two issuers of one CA: each challenge has a listener of its own, and the
	// library knows one host for both.
	a.config.Issuers = []certmagic.Issuer{certmagic.NewACMEIssuer(a.config, alpn)}
	if a.options.HTTP {
		template.DisableTLSALPNChallenge = true
		template.ListenHost, template.AltHTTPPort = hostPort(a.listeners.http)
		a.http = certmagic.NewACMEIssuer(a.config, template)
		a.config.Issuers = slices.Insert(a.config.Issuers, 0, certmagic.Issuer(a.http))
	}
	close(a.ready)
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

func (a *ACME) started() bool {
	select {
	case <-a.ready:
		return true
	default:
		return false
	}
}

// Certificate implements [Source]. A challenge is answered for our domains only:
// others would cost a look into the storage.
func (a *ACME) Certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if !a.started() {
		return nil, ErrNone
	}
	if slices.Contains(hello.SupportedProtos, ALPNChallenge) && !a.ours(hello.ServerName) {
		return nil, fmt.Errorf("%s asked for a name that is not ours", ALPNChallenge)
	}
	return a.config.GetCertificate(hello)
}

func (a *ACME) ours(name string) bool { return slices.Contains(a.domains, strings.ToLower(name)) }

// Certificates implements [Source].
func (a *ACME) Certificates() []Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := make([]Status, len(a.domains))
	for i, domain := range a.domains {
		all[i] = Status{Certificate: domain, Source: sourceACME}
		if leaf := a.leaf(domain); leaf != nil {
			all[i] = statusOf(domain, sourceACME, leaf)
		}
		all[i].Err = a.problems[domain]
	}
	return all
}

// leaf is what is served for a domain; nil = nothing.
func (a *ACME) leaf(domain string) *x509.Certificate {
	if !a.started() {
		return nil
	}
	var newest *x509.Certificate
	for _, c := range a.cache.AllMatchingCertificates(domain) {
		if newest == nil || c.Leaf.NotAfter.After(newest.NotAfter) {
			newest = c.Leaf
		}
	}
	return newest
}

// Run implements [Source].
func (a *ACME) Run(ctx context.Context) {
	a.starts.Do(a.start)
	var domains sync.WaitGroup
	for _, domain := range a.domains {
		domains.Go(func() {
			steady.Keep(ctx, func(ctx context.Context) { a.manage(ctx, domain) }, a.options.Hooks.panicked)
		})
	}
	domains.Wait()
	if ctx.Err() == nil { // every domain has panicked out, which Keep does not let happen
		return
	}
	a.stop()
}

// stop ends the library's goroutines. One may be in a call of its own that lasts
// longer than an end should.
func (a *ACME) stop() {
	stopped := make(chan struct{})
	go steady.Try(func() {
		defer close(stopped)
		a.cache.Stop()
	}, a.options.Hooks.panicked)
	bound := time.NewTimer(stopTimeout)
	defer bound.Stop()
	select {
	case <-stopped:
	case <-bound.C:
	}
}

// manage has the certificate of a domain loaded, or else obtained; from then on
// the library renews it. Errors of the storage are not the library's to repeat,
// those of the CA are: after a minute, then two, at last every six hours.
func (a *ACME) manage(ctx context.Context, domain string) {
	pause, failures := firstRetry, 0
	for {
		err := a.load(ctx, domain)
		if errors.Is(err, fs.ErrNotExist) {
			if err = a.config.ObtainCertAsync(ctx, domain); err == nil {
				err = a.load(ctx, domain)
			}
		}
		if err == nil {
			a.watch(ctx, domain)
			return
		}
		if failures++; failures >= tornAfter && a.torn(ctx, domain) {
			err = a.config.RenewCertAsync(ctx, domain, true)
		}
		if err != nil && ctx.Err() == nil && a.note(domain, err) {
			a.tellFailed(domain, err)
		}
		if !steady.Pause(ctx, pause) {
			return
		}
		pause = min(2*pause, lastRetry)
	}
}

// torn reports whether the stored certificate and key do not fit together: they
// are stored one after the other, and somebody was killed in between.
func (a *ACME) torn(ctx context.Context, domain string) bool {
	issuer := a.config.Issuers[0].IssuerKey()
	cert, certErr := a.options.Storage.Load(ctx, certmagic.StorageKeys.SiteCert(issuer, domain))
	key, keyErr := a.options.Storage.Load(ctx, certmagic.StorageKeys.SitePrivateKey(issuer, domain))
	if certErr != nil || keyErr != nil {
		return false
	}
	_, err := tls.X509KeyPair(cert, key)
	return err != nil
}

// load takes a certificate from the storage into memory. One that is due is
// renewed now, and not only at the next look.
func (a *ACME) load(ctx context.Context, domain string) error {
	cert, err := a.config.CacheManagedCertificate(ctx, domain)
	if err == nil && cert.NeedsRenewal(a.config) {
		_ = a.cache.RenewManagedCertificates(ctx) // it begins that; how it ends is an event
	}
	return err
}

// watch tells when another certificate is served: after a renewal, whichever
// replica made it.
func (a *ACME) watch(ctx context.Context, domain string) {
	var told string
	for {
		if leaf := a.leaf(domain); leaf != nil && leaf.SerialNumber.String() != told {
			told = leaf.SerialNumber.String()
			a.note(domain, nil)
			a.options.Hooks.changed(Event{Certificate: domain, Source: sourceACME, Outcome: Loaded, Names: namesOf(leaf), NotAfter: leaf.NotAfter})
		}
		if !steady.Pause(ctx, firstRetry) {
			return
		}
	}
}

// note keeps the problem of a domain for those who ask, nil = it is over, and
// reports whether it is another one than before.
func (a *ACME) note(domain string, err error) (other bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	before := a.problems[domain]
	a.problems[domain] = err
	return (before == nil) != (err == nil) || err != nil && before.Error() != err.Error()
}

func (a *ACME) tellFailed(domain string, err error) {
	a.options.Hooks.changed(Event{Certificate: domain, Source: sourceACME, Outcome: Failed, Names: []string{domain}, Err: err})
}

// event is told by the library.
func (a *ACME) event(_ context.Context, event string, data map[string]any) error {
	domain, _ := data["identifier"].(string)
	switch event {
	case "cert_obtained":
		a.options.Hooks.changed(Event{Certificate: domain, Source: sourceACME, Outcome: Obtained, Names: []string{domain}})
	case "cert_failed":
		err, _ := data["error"].(error)
		a.note(domain, err)
		a.tellFailed(domain, err) // each time: an attempt has been spent
	}
	return nil
}
