package main

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"iqgateway/certs"
	"iqgateway/config"
	"iqgateway/internal/steady"
	"iqgateway/internal/watchdog"
	"iqgateway/observability"
)

// addresses are where a running gateway listens; "" = it does not.
type addresses struct {
	Server, ForwardProxy, Admin, Status string
	ACME                                string // answers HTTP-01 challenges
	TLS                                 bool   // the server listener encrypts
}

// closeTimeout bounds what is left to do once nothing serves any more.
const closeTimeout = 3 * time.Second

// gateway is one running process: listeners, stores, and the generation that
// serves right now.
type gateway struct {
	cfg     *config.Config // that of the start: what the process has fixed comes from it
	log     *slog.Logger
	replica string // names this process to operators, in request ids too
	started time.Time
	stores  *stores
	current atomic.Pointer[generation]
	local   *certs.Local // of tls mode self_signed
	// certificates are those of all listeners.
	certificates certificates
	// draining is set from the signal on: not ready any more.
	draining atomic.Bool
	// hurry is closed when the drain should take no longer than it must; nil = never.
	hurry <-chan struct{}
	// level is the least that is logged; nil = it stays as it is.
	level *observability.LogLevel
	// reloads is how the configuration is read anew.
	reloads reloads
	// watchdog finds what only a restart ends.
	watchdog *watchdog.Watchdog

	endpoints []endpoint
}

// newGateway builds everything and binds every listener, or nothing.
func newGateway(ctx context.Context, cfg *config.Config, log *slog.Logger, to streams) (*gateway, error) {
	replica := newReplica()
	st, err := newStores(cfg, log, replica) //nolint:contextcheck // its log lines are of no request
	if err != nil {
		return nil, err
	}
	g := &gateway{cfg: cfg, log: log, replica: replica, started: time.Now(), stores: st}
	st.describe = g.describeReplica
	st.reload, st.reloaded = g.reloadCommand, g.reloadAnswer
	g.openOverrides()
	g.watchdog = g.newWatchdog()       //nolint:contextcheck // its log lines are of no request
	st.openTraces(to.environ, replica) //nolint:contextcheck // its log lines are of no request
	if err := errors.Join(st.openAudit(cfg, to, replica), g.prepare(ctx)); err != nil {
		g.close(ctx)
		return nil, err
	}
	return g, nil
}

func (g *gateway) prepare(ctx context.Context) error {
	tlsConfig, get, err := g.serverTLS()
	if err != nil {
		return configError{err}
	}
	g.reloads.pipeline = pipelineOptions{replica: g.replica, now: time.Now, sameCertificate: sameCertificate(get), clientRoots: g.certificates.clientRoots}
	if err := g.began(); err != nil {
		return err
	}
	generation, err := g.generation(g.cfg, g.reloads.state.Load().hash)
	if err != nil {
		return configError{err}
	}
	g.current.Store(generation)
	if err := g.stores.useTraces(generation); err != nil { //nolint:contextcheck // spans on their way are sent, whatever ends
		return configError{err}
	}
	if err := g.observe(); err != nil {
		return err
	}
	g.stores.connectRedis(ctx)
	if err := g.stores.overrides.Sync(ctx); err != nil { // it is tried again while it serves
		g.stores.overridesFailed(err) //nolint:contextcheck // its log lines are of no request
	}
	if err := g.bind(ctx, tlsConfig); err != nil {
		return err
	}
	g.stores.fleet.Join(ctx) // the first request needs to know of how many parts one is this replica's
	return nil
}

// run serves until ctx ends and everything is drained.
func (g *gateway) run(ctx context.Context) error {
	defer g.close(ctx)
	// The stores serve until the last request is drained.
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	var stores sync.WaitGroup
	stores.Go(func() { g.stores.run(background) })
	stores.Go(func() { steady.Keep(background, g.watchdog.Run, g.stores.loopPanicked(background, "watchdog")) })
	stores.Go(func() { steady.Keep(background, g.followHangups, g.stores.loopPanicked(background, "reloads")) })
	if g.reloads.seen != nil {
		stores.Go(func() {
			steady.Keep(background, g.followFiles, g.stores.loopPanicked(background, "configuration files"))
		})
	}
	g.keepCertificates(background, &stores)
	defer stores.Wait()
	defer stop()
	return lifetimes{
		endpoints: g.endpoints, draining: &g.draining, log: g.log,
		lameDuck: g.cfg.Server.LameDuck, drain: g.cfg.Server.DrainTimeout, hurry: g.hurry,
	}.run(ctx)
}

// close ends what a gateway that does not run any more still holds.
func (g *gateway) close(ctx context.Context) {
	for _, e := range g.endpoints {
		_ = e.listener.Close()
	}
	if generation := g.current.Load(); generation != nil {
		generation.close()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	g.certificates.close(ctx)
	if err := g.stores.close(ctx); err != nil {
		g.log.Warn("closing", slog.String("error", err.Error()))
	}
	g.stores.traces.Close(context.WithoutCancel(ctx)) // at last: whatever has ended is told of
}

// addresses returns where the gateway listens.
func (g *gateway) addresses() addresses {
	a := addresses{TLS: g.cfg.Server.TLS.Mode != tlsNone}
	for _, e := range g.endpoints {
		address := e.listener.Addr().String()
		switch e.name {
		case "server":
			a.Server = address
		case "forward_proxy":
			a.ForwardProxy = address
		case "admin":
			a.Admin = address
		case "status":
			a.Status = address
		case acmeListener:
			a.ACME = address
		}
	}
	return a
}

// newReplica names this process in request ids.
func newReplica() string {
	var random [5]byte
	_, _ = rand.Read(random[:]) // documented never to fail
	return strings.ToLower(base32.StdEncoding.EncodeToString(random[:]))
}
