package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
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

	// orderBound is how long one try may take, the wait for another replica's
	// included.
	orderBound = 5 * time.Minute
	// renewPause is the longest between tries to renew a certificate that is
	// valid still.
	renewPause = time.Hour
	// memoryLook is how often it is seen that another certificate is served.
	memoryLook = time.Second

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
	// Roots are what the CA's own endpoint is verified with; nil = the system's.
	// Whoever follows them calls [ACME.Refresh] when they change.
	Roots *Roots
	// Storage keeps account, certificates and keys, and shares them and the work
	// with other replicas; nil = files in Dir.
	Storage certmagic.Storage
	// Dir is where files are kept without Storage; with it, copies of
	// certificates and their keys, which are loaded while Storage fails. "" =
	// none.
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
	ready   chan struct{} // closed once cache and client are there

	cache  *certmagic.Cache
	client atomic.Pointer[acmeClient] // nil = not yet

	listeners struct{ server, http net.Addr }

	mu       sync.Mutex
	problems map[string]problem // by domain
}

// problem is what is wrong with a domain's certificate, and when that was seen
// last.
type problem struct {
	err error
	at  time.Time
}

var _ Source = (*ACME)(nil)

// NewACME returns an ACME that has no certificate yet; [ACME.Run] gets them.
func NewACME(o ACMEOptions) (*ACME, error) {
	if len(o.Domains) == 0 {
		return nil, errors.New("there is no domain to get a certificate for")
	}
	files := &certmagic.FileStorage{Path: o.Dir}
	storage := &acmeStorage{Storage: o.Storage, log: o.Log, panicked: o.Hooks.panicked}
	switch {
	case o.Storage == nil && o.Dir == "":
		return nil, errors.New("there is nowhere to keep certificates")
	case o.Storage == nil:
		storage.Storage = files
	case o.Dir != "":
		storage.copies = files
	}
	o.Storage = storage
	a := &ACME{options: o, ready: make(chan struct{}), problems: map[string]problem{}}
	for _, d := range o.Domains {
		a.domains = append(a.domains, strings.ToLower(d))
	}
	return a, nil
}

// Listening tells where the listeners are that answer challenges; http is nil
// without one. It is called before Run: the ACME client would else open
// listeners of its own.
func (a *ACME) Listening(server, http net.Addr) { a.listeners.server, a.listeners.http = server, http }

// Certificate implements [Source]. A challenge is answered for our domains only:
// others would cost a look into the storage.
func (a *ACME) Certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	client := a.client.Load()
	if client == nil {
		return nil, ErrNone
	}
	if slices.Contains(hello.SupportedProtos, ALPNChallenge) && !a.ours(hello.ServerName) {
		return nil, fmt.Errorf("%s asked for a name that is not ours", ALPNChallenge)
	}
	return client.config.GetCertificate(hello)
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
		all[i].Err = a.problems[domain].err
	}
	return all
}

// leaf is what is served for a domain; nil = nothing.
func (a *ACME) leaf(domain string) *x509.Certificate {
	if a.client.Load() == nil {
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
// the library renews it.
func (a *ACME) manage(ctx context.Context, domain string) {
	f := first{
		load: func(ctx context.Context) error { return a.load(ctx, domain) },
		torn: func(ctx context.Context) bool { return a.torn(ctx, domain) },
		order: func(ctx context.Context, anew bool) error {
			if anew {
				if err := a.dropTorn(ctx, domain); err != nil {
					return err
				}
			}
			return a.obtain(ctx, domain)
		},
		settings: func() any { return a.client.Load() },
		show:     func(err error) bool { return a.note(domain, err) },
		tell:     func(err error) { a.tellFailed(domain, err) },
	}
	if f.run(ctx) {
		a.watch(ctx, domain)
	}
}

// load takes a certificate from the storage into memory. One that is due is
// renewed now, and not only at the next look.
func (a *ACME) load(ctx context.Context, domain string) error {
	client := a.client.Load()
	cert, err := client.config.CacheManagedCertificate(ctx, domain)
	if err == nil && cert.NeedsRenewal(client.config) {
		_ = a.cache.RenewManagedCertificates(ctx) // it begins that; how it ends is an event
	}
	return err
}

// torn reports whether the stored certificate and key do not fit together: they
// are stored one after the other, and somebody was killed in between.
func (a *ACME) torn(ctx context.Context, domain string) bool {
	issuer := a.client.Load().config.Issuers[0].IssuerKey()
	cert, certErr := a.options.Storage.Load(ctx, certmagic.StorageKeys.SiteCert(issuer, domain))
	key, keyErr := a.options.Storage.Load(ctx, certmagic.StorageKeys.SitePrivateKey(issuer, domain))
	if certErr != nil || keyErr != nil {
		return false
	}
	_, err := tls.X509KeyPair(cert, key)
	return err != nil
}

// dropTorn takes what does not fit together out of the storage, so that an order
// finds nothing. It holds the lock of orders meanwhile: another replica may have
// replaced it by now, or be about to.
func (a *ACME) dropTorn(ctx context.Context, domain string) (err error) {
	ctx, cancel := context.WithTimeout(ctx, orderBound)
	defer cancel()
	lock := "issue_cert_" + domain // as the library calls it
	if err := a.options.Storage.Lock(ctx, lock); err != nil {
		return fmt.Errorf("replacing a certificate and a key that do not fit together: %w", err)
	}
	defer func() { err = errors.Join(err, a.options.Storage.Unlock(context.WithoutCancel(ctx), lock)) }()
	if !a.torn(ctx, domain) {
		return nil
	}
	issuer := a.client.Load().config.Issuers[0].IssuerKey()
	return a.options.Storage.Delete(ctx, certmagic.StorageKeys.SiteCert(issuer, domain))
}

// ourOrder marks orders whose failure whoever made them tells.
type ourOrder struct{}

// obtain asks the CA once for a certificate, unless one is stored by then.
func (a *ACME) obtain(ctx context.Context, domain string) error {
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, ourOrder{}, true), orderBound)
	defer cancel()
	return a.client.Load().config.ObtainCertSync(ctx, domain)
}

// renew does in place of a stored one, unless that needs none.
func (a *ACME) renew(ctx context.Context, domain string) error {
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, ourOrder{}, true), orderBound)
	defer cancel()
	return a.client.Load().config.RenewCertSync(ctx, domain, false)
}

// watch tells when another certificate is served: after a renewal, whichever
// replica made it. Where the library waits too long to try again, watch does.
func (a *ACME) watch(ctx context.Context, domain string) {
	var told string
	var due time.Time // since when it has been, at most; zero = it is not
	for {
		leaf, now := a.leaf(domain), time.Now()
		if leaf != nil && leaf.SerialNumber.String() != told {
			told = leaf.SerialNumber.String()
			a.note(domain, nil)
			a.options.Hooks.changed(Event{Certificate: domain, Source: sourceACME, Outcome: Loaded, Names: namesOf(leaf), NotAfter: leaf.NotAfter})
		}
		switch {
		case leaf == nil || now.Before(renewalOf(leaf)):
			due = time.Time{}
		case due.IsZero():
			due = now
		}
		if leaf != nil && overdue(a.problem(domain), due, leaf.NotAfter, now) {
			err := a.renew(ctx, domain)
			due = time.Now()
			a.note(domain, err)
			if err != nil && ctx.Err() == nil {
				a.tellFailed(domain, err)
			}
		}
		if !steady.Pause(ctx, memoryLook) {
			return
		}
	}
}

// renewalOf is when the library begins to renew a certificate, unless the CA asks
// for another time: with a third of its life left.
func renewalOf(leaf *x509.Certificate) time.Time {
	return leaf.NotAfter.Add(-leaf.NotAfter.Sub(leaf.NotBefore) / 3)
}

// overdue reports whether to try again to renew what ends at end: the library's
// pauses grow to six hours, whatever is left, and of tries that the storage has
// stopped it tells nothing. due is since when a renewal is, zero = it is not.
func overdue(p problem, due, end, now time.Time) bool {
	pause := renewPause
	if !now.Before(end) {
		pause = lastPause
	}
	last := due
	if p.err != nil {
		last = p.at
	}
	return !last.IsZero() && now.Sub(last) >= pause
}

func (a *ACME) problem(domain string) problem {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.problems[domain]
}

// note keeps the problem of a domain for those who ask, nil = it is over, and
// reports whether it is another one than before.
func (a *ACME) note(domain string, err error) (other bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	before := a.problems[domain].err
	a.problems[domain] = problem{err: err, at: time.Now()}
	return (before == nil) != (err == nil) || err != nil && before.Error() != err.Error()
}

func (a *ACME) tellFailed(domain string, err error) {
	a.options.Hooks.changed(Event{Certificate: domain, Source: sourceACME, Outcome: Failed, Names: []string{domain}, Err: err})
}

// event is told by the library.
func (a *ACME) event(ctx context.Context, event string, data map[string]any) error {
	domain, _ := data["identifier"].(string)
	switch event {
	case "cert_obtained":
		a.options.Hooks.changed(Event{Certificate: domain, Source: sourceACME, Outcome: Obtained, Names: []string{domain}})
	case "cert_failed":
		if ctx.Value(ourOrder{}) != nil {
			return nil
		}
		err, _ := data["error"].(error)
		a.note(domain, err)
		a.tellFailed(domain, err) // each time: an attempt has been spent
	}
	return nil
}
