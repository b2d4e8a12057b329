package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"time"

	"iqgateway/config"
	"iqgateway/observability"
	"iqgateway/proxy"
)

// forever stands for "none" where a library wants a duration.
const forever = time.Duration(math.MaxInt64)

// bind opens the listeners. An address that is taken is an error before
// anything serves.
func (g *gateway) bind(ctx context.Context, tlsConfig *tls.Config) error {
	server, limits := g.cfg.Server, g.cfg.Server.Limits
	data := proxy.ServerOptions{
		ReadHeaderTimeout: limits.ReadHeaderTimeout,
		IdleTimeout:       orForever(limits.IdleTimeout),
		WriteIdleTimeout:  orForever(limits.WriteIdleTimeout),
		MaxURI:            int(limits.MaxURI),
		MaxHeader:         int(limits.MaxHeader),
		Logger:            g.log,
	}
	data.TLS, data.Handler = tlsConfig, g.handler(func(n *generation) http.Handler { return n.server })
	if err := g.listen(ctx, "server", server.Address, proxy.NewServer(data), true); err != nil {
		return err
	}
	if err := g.bindACME(ctx); err != nil {
		return err
	}
	if server.ForwardProxy != nil {
		data.TLS, data.Handler = nil, g.handler(func(n *generation) http.Handler { return n.absolute })
		if err := g.listen(ctx, "forward_proxy", server.ForwardProxy.Address, proxy.NewServer(data), true); err != nil {
			return err
		}
	}
	return g.bindAdmin(ctx)
}

func (g *gateway) bindAdmin(ctx context.Context) error {
	api := g.adminAPI() //nolint:contextcheck // its log lines are of no request
	o := observability.AdminOptions{
		Checks: g.checks(), Alive: g.watchdog.Err, Metrics: g.stores.metrics.Handler(), Version: readBuildInfo(), Hosts: g.cfg.Admin.Hosts,
		API:   observability.API(api.endpoints()...),
		Audit: g.stores.audit, Token: g.cfg.Admin.Token.Text, ReadToken: g.cfg.Admin.ReadToken.Text,
		Profiles: g.cfg.Admin.Pprof,
	}
	adminTLS, err := g.adminTLS()
	if err != nil {
		return configError{err}
	}
	o.Page = dashboard()
	handler := observability.Admin(o)
	if a := g.cfg.Admin; a.Token.Rotates() || a.ReadToken.Rotates() {
		g.stores.rotations = append(g.stores.rotations, adminRotation(a, handler.SetTokens, g.log))
	}
	admin := plainServer(handler, g.log)
	admin.TLSConfig = adminTLS
	if err := g.listen(ctx, "admin", g.cfg.Admin.Address, admin, false); err != nil {
		return err
	}
	g.endpoints[len(g.endpoints)-1].ending = api.overview.end
	if g.cfg.Status == nil {
		return nil
	}
	return g.listen(ctx, "status", g.cfg.Status.Address, plainServer(observability.Status(o), g.log), false)
}

// handler serves each request with the generation that is current when it
// begins.
func (g *gateway) handler(of func(*generation) http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		serving := g.enter()
		defer serving.users.leave()
		of(serving).ServeHTTP(w, r)
	})
}

// enter returns the generation that is current, which stays until its users
// are told of the leaving.
func (g *gateway) enter() *generation {
	for {
		if serving := g.current.Load(); serving.users.enter() {
			return serving
		} // it was replaced in this moment
	}
}

// listen binds an address for callers, or for probes and operators.
func (g *gateway) listen(ctx context.Context, name string, address config.HostPort, server *http.Server, callers bool) error {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", string(address))
	if err != nil {
		return fmt.Errorf("%s.address (%s): %w", name, g.cfg.Source(name+".address"), err)
	}
	if n := g.cfg.Server.Limits.MaxConnections; callers && n > 0 {
		l = proxy.LimitConnections(l, n)
	}
	e := endpoint{name: name, listener: l, callers: callers}
	e.drainer = proxy.NewDrainer(server) //nolint:contextcheck // requests outlive what ctx starts
	e.drainer.HandshakeFailed = g.stores.handshakeFailed(name)
	g.endpoints = append(g.endpoints, e)
	return nil
}

// plainServer is a server for probes and operators.
func plainServer(h http.Handler, log *slog.Logger) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	return &http.Server{
		Handler: h, Protocols: protocols, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second,
		WriteTimeout: 2 * time.Minute, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

func orForever(d time.Duration) time.Duration {
	if d == 0 {
		return forever
	}
	return d
}
