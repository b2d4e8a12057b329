package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"iqgateway/proxy"
)

// acmeListener is the endpoint that answers HTTP-01 challenges.
const acmeListener = "acme"

// bindACME opens the listener of challenges, and tells the ACME client where
// they are answered.
func (g *gateway) bindACME(ctx context.Context) error {
	acme := g.certificates.acme
	if acme == nil {
		return nil
	}
	var http01 net.Addr
	if address := g.cfg.Server.TLS.ACME.HTTPAddress; address != "" {
		const path = "server.tls.acme.http_address"
		var lc net.ListenConfig
		l, err := lc.Listen(ctx, "tcp", string(address))
		if err != nil {
			return fmt.Errorf("%s (%s): %w", path, g.cfg.Source(path), err)
		}
		http01 = l.Addr()
		if n := g.cfg.Server.Limits.MaxConnections; n > 0 {
			l = proxy.LimitConnections(l, n)
		}
		e := endpoint{name: acmeListener, listener: l}
		e.drainer = proxy.NewDrainer(g.acmeServer(acme.Challenges())) //nolint:contextcheck // requests outlive what ctx starts
		g.endpoints = append(g.endpoints, e)
	}
	acme.Listening(g.endpoints[0].listener.Addr(), http01)
	return nil
}

// acmeServer reads as little as a challenge needs: anybody may connect.
func (g *gateway) acmeServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second,
		IdleTimeout: time.Second, MaxHeaderBytes: 8 << 10, DisableGeneralOptionsHandler: true,
		ErrorLog: slog.NewLogLogger(g.log.Handler(), slog.LevelDebug),
	}
}
