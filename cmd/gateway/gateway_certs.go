package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"iqgateway/certs"
	certstore "iqgateway/certs/redisstore"
	"iqgateway/config"
	"iqgateway/internal/steady"
)

// The modes of server.tls.
const (
	tlsFiles      = "files"
	tlsACME       = "acme"
	tlsSelfSigned = "self_signed"
	tlsNone       = "none"
)

// certificates are those of the process, and what keeps them renewed. They
// outlive generations: what the configuration says of them holds until the end.
type certificates struct {
	server   certs.Source    // of the callers' listener; nil = plain HTTP
	acme     *certs.ACME     // server, in that mode
	endpoint *certs.Endpoint // nil = plain HTTP
	admin    *certs.Files    // nil = plain HTTP
	roots    []*certs.Roots  // authorities that are followed
	callers  *certs.Roots    // those of callers; nil = no client certificates
	store    *certstore.Store
	tickets  *certs.Tickets
}

// clientRoots are the authorities whose certificates of callers are believed
// now.
func (c *certificates) clientRoots() []*x509.Certificate {
	if c.callers == nil {
		return nil
	}
	return c.callers.List()
}

// loops keep everything renewed, by what they do.
func (c *certificates) loops() map[string]func(context.Context) {
	loops := map[string]func(context.Context){}
	if c.server != nil {
		loops["certificates"] = c.server.Run
	}
	if c.admin != nil {
		loops["admin certificate"] = c.admin.Run
	}
	for i, r := range c.roots {
		loops["authorities "+strconv.Itoa(i)] = r.Run
	}
	if c.tickets != nil {
		loops["session tickets"] = c.tickets.Run
	}
	return loops
}

// close gives back what other replicas wait for.
func (c *certificates) close(ctx context.Context) {
	if c.store != nil {
		c.store.Close(ctx)
	}
}

// statuses are all certificates that are served, or should be.
func (c *certificates) statuses() []certs.Status {
	var all []certs.Status
	if c.server != nil {
		all = c.server.Certificates()
	}
	if c.admin != nil {
		all = append(all, c.admin.Certificates()...)
	}
	return all
}

// serverTLS returns the settings of the callers' listener; nil = plain HTTP.
func (g *gateway) serverTLS() (*tls.Config, certs.GetCertificate, error) {
	c, t := &g.certificates, g.cfg.Server.TLS
	if t.Mode == tlsNone {
		return nil, nil, nil
	}
	if err := g.openCertStore(); err != nil {
		return nil, nil, err
	}
	if err := g.openSource(); err != nil {
		return nil, nil, err
	}
	o := certs.EndpointOptions{Get: c.server.Certificate, Roots: nil}
	if t.ClientCAFile != "" {
		roots, err := g.followRoots(certs.RootsOptions{
			Name: "server.tls.client_ca_file", File: string(t.ClientCAFile), Changed: func() { c.endpoint.Refresh() },
		})
		if err != nil {
			return nil, nil, err
		}
		o.Roots, c.callers = roots, roots
	}
	if t.Mode == tlsACME {
		o.Protocols = []string{certs.ALPNChallenge}
	}
	// A replica that shares no keys could not resume what another began, and
	// would cost each caller a try.
	o.NoTickets = g.cfg.Redis != nil && c.store == nil
	c.endpoint = certs.NewEndpoint(o)
	if c.store != nil {
		c.tickets = certs.NewTickets(certs.TicketsOptions{Store: c.store, Use: c.endpoint.UseTickets})
	}
	return c.endpoint.Config(), c.server.Certificate, nil
}

// openCertStore shares certificates and ticket keys where secrets may be shared.
func (g *gateway) openCertStore() error {
	if !g.stores.sealing() {
		return nil
	}
	store, err := certstore.New(g.stores.redis, certstore.Options{
		Hooks: certstore.Hooks{Discarded: g.stores.certificateDiscarded, Panicked: g.stores.certificatesPanicked},
	})
	g.certificates.store = store
	return err
}

func (g *gateway) openSource() error {
	c, t := &g.certificates, g.cfg.Server.TLS
	var err error
	switch t.Mode {
	case tlsFiles:
		pairs := make([]certs.Pair, len(t.Certificates))
		for i, f := range t.Certificates {
			pairs[i] = certs.Pair{Name: "server.tls.certificates[" + strconv.Itoa(i) + "]", CertFile: string(f.CertFile), KeyFile: string(f.KeyFile)}
		}
		c.server, err = certs.NewFiles(certs.FilesOptions{Pairs: pairs, Hooks: g.certHooks()})
	case tlsACME:
		c.acme, err = g.newACME(t.ACME)
		c.server = c.acme
	case tlsSelfSigned:
		g.local, err = certs.NewLocal(certs.LocalOptions{Dir: g.caDir(), Names: g.certificateNames()})
		c.server = g.local
	default:
		err = fmt.Errorf("server.tls.mode %q is none of this program", t.Mode)
	}
	return err
}

func (g *gateway) newACME(a config.ACME) (*certs.ACME, error) {
	o := certs.ACMEOptions{
		Domains: a.Domains, Email: a.Email, HTTP: a.HTTPAddress != "", Log: g.log, Hooks: g.certHooks(),
	}
	if a.CA != nil {
		o.CA = a.CA.String()
	}
	if a.CARootFile != "" {
		var err error
		o.Roots, err = g.followRoots(certs.RootsOptions{
			Name: "server.tls.acme.ca_root_file", Source: "acme_ca", File: string(a.CARootFile), Changed: func() { g.certificates.acme.Refresh() },
		})
		if err != nil {
			return nil, err
		}
	}
	if g.certificates.store != nil {
		o.Storage = g.certificates.store
	}
	if g.cfg.DataDir != "" {
		o.Dir = filepath.Join(g.cfg.DataDir, "acme")
	}
	return certs.NewACME(o)
}

func (g *gateway) followRoots(o certs.RootsOptions) (*certs.Roots, error) {
	o.Hooks = g.certHooks()
	r, err := certs.NewRoots(o)
	if err != nil {
		return nil, err
	}
	g.certificates.roots = append(g.certificates.roots, r)
	return r, nil
}

// adminTLS encrypts the admin listener; nil = plain HTTP.
func (g *gateway) adminTLS() (*tls.Config, error) {
	c, t := &g.certificates, g.cfg.Admin.TLS
	if t.CertFile == "" {
		return nil, nil //nolint:nilnil // no TLS is a setting, not an error
	}
	var err error
	c.admin, err = certs.NewFiles(certs.FilesOptions{
		Pairs: []certs.Pair{{Name: "admin.tls", CertFile: string(t.CertFile), KeyFile: string(t.KeyFile)}},
		Hooks: g.certHooks(),
	})
	if err != nil {
		return nil, err
	}
	o := certs.EndpointOptions{Get: c.admin.Certificate, RequireClient: true}
	var endpoint *certs.Endpoint
	if t.ClientCAFile != "" {
		o.Roots, err = g.followRoots(certs.RootsOptions{
			Name: "admin.tls.client_ca_file", File: string(t.ClientCAFile), Changed: func() { endpoint.Refresh() },
		})
		if err != nil {
			return nil, err
		}
	}
	endpoint = certs.NewEndpoint(o)
	return endpoint.Config(), nil
}

// keepCertificates has them renewed until ctx ends.
func (g *gateway) keepCertificates(ctx context.Context, all *sync.WaitGroup) {
	for what, loop := range g.certificates.loops() {
		all.Go(func() { steady.Keep(ctx, loop, g.stores.loopPanicked(ctx, what)) })
	}
}

// certificateTrouble is what is wrong with certificates that are served.
func (g *gateway) certificateTrouble() error {
	all := g.certificates.statuses()
	if err := certs.Trouble(all, time.Now()); err != nil {
		return err
	}
	for _, r := range g.certificates.roots {
		if err := r.Trouble(); err != nil {
			return err
		}
	}
	return nil
}

// certificateMissing keeps a replica from being ready that could only refuse
// handshakes.
func (g *gateway) certificateMissing() error {
	if s := g.certificates.server; s != nil && !certs.Present(s.Certificates()) {
		return certs.ErrNone
	}
	return nil
}
