package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"iqgateway/auth"
	"iqgateway/config"
	"iqgateway/internal/iqsim"
	"iqgateway/internal/roots"
	"iqgateway/observability"
)

// demoPorts are tried first, so that lines copied from an earlier demo work
// again; a taken one is replaced by any free port.
var demoPorts = struct{ server, admin, sim string }{"127.0.0.1:8443", "127.0.0.1:9090", "127.0.0.1:19900"} //nolint:gochecknoglobals // constants

func (p program) demoCommand() *cobra.Command {
	var once bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Try it: a gateway in front of a simulated iQmetrix",
		Long: `Start a simulated iQmetrix, a gateway in front of it and its admin server on
loopback, make five calls through the gateway and print the curl lines that
repeat them. It needs no file, no Redis and no network, and leaves nothing behind.`,
		Example: "  gateway demo\n  gateway demo --once   # make the calls and end",
		Args:    exactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.demo(cmd.Context(), once)
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "end after the calls")
	return cmd
}

// demo is everything that the demo starts.
type demo struct {
	dir string // of the CA
	key string // of the caller
	sim *http.Server
	url string // of the simulation
}

func (p program) demo(ctx context.Context, once bool) error {
	dir, err := os.MkdirTemp("", "iqgateway-demo-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	d := &demo{dir: dir}
	if err := d.startSim(ctx); err != nil {
		return err
	}
	defer func() { _ = d.sim.Close() }()
	logFile, err := os.Create(filepath.Join(dir, "gateway.log"))
	if err != nil {
		return err
	}
	defer func() { _ = logFile.Close() }()
	g, err := d.newGateway(ctx, logFile)
	if err != nil {
		return err
	}

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	g.hurry = p.hurry
	go func() { ended <- g.run(ctx) }()
	if p.started != nil {
		p.started(g.addresses())
	}
	if err := p.showDemo(ctx, d, g); err != nil {
		stop()
		return errors.Join(err, <-ended)
	}
	if once {
		stop()
	}
	return <-ended
}

func (d *demo) startSim(ctx context.Context) error {
	sim, err := iqsim.New(iqsim.Options{})
	if err != nil {
		return err
	}
	l, err := listenNear(ctx, demoPorts.sim)
	if err != nil {
		return err
	}
	d.url = "http://" + l.Addr().String()
	d.sim = &http.Server{Handler: sim, ReadHeaderTimeout: 5 * time.Second, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	go func() { _ = d.sim.Serve(l) }()
	return nil
}

// listenNear listens on address, or on any free loopback port when that is
// taken.
func listenNear(ctx context.Context, address string) (net.Listener, error) {
	var lc net.ListenConfig
	if l, err := lc.Listen(ctx, "tcp", address); err == nil {
		return l, nil
	}
	return lc.Listen(ctx, "tcp", "127.0.0.1:0")
}

// freeAddress returns address, or one with any free port when that is taken.
func freeAddress(ctx context.Context, address string) (string, error) {
	l, err := listenNear(ctx, address)
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

func (d *demo) newGateway(ctx context.Context, log io.Writer) (*gateway, error) {
	server, err := freeAddress(ctx, demoPorts.server)
	if err != nil {
		return nil, err
	}
	admin, err := freeAddress(ctx, demoPorts.admin)
	if err != nil {
		return nil, err
	}
	var digest string
	d.key, digest = auth.NewKey()
	text := strings.NewReplacer("SERVER", server, "ADMIN", admin, "SIM", d.url, "DIGEST", digest, "DIR", d.dir).Replace(demoConfig)
	cfg, _, err := config.Load(config.LoadOptions{Path: "demo.yaml", Data: []byte(text), Now: time.Now()})
	if err != nil {
		return nil, configError{err}
	}
	level := observability.NewLogLevel(slog.LevelInfo, nil)
	logger, err := observability.NewLogger(log, observability.LogOptions{Level: level})
	if err != nil {
		return nil, err
	}
	g, err := newGateway(ctx, cfg, logger, streams{stdout: log, stderr: log})
	if err != nil {
		return nil, err
	}
	g.level = level
	return g, nil
}

const demoConfig = `version: 1
data_dir: DIR
server:
  address: SERVER
  tls: {mode: self_signed}
  lame_duck: 0s
admin:
  address: ADMIN
environments:
  sim:
    url: SIM/{service}
credentials:
  demo:
    environment: sim
    client_id: sim-client
    client_secret: sim-secret
    username: sim@example.com
    password: sim-password
callers:
  storefront:
    environment: sim
    keys:
      - {id: storefront-demo, sha256: DIGEST}
    access:
      - {credential: demo, services: {"*": write}}
`

// showDemo makes the calls and prints how to repeat them.
func (p program) showDemo(ctx context.Context, d *demo, g *gateway) error {
	a := g.addresses()
	base, caFile := "https://"+a.Server, filepath.Join(d.dir, "ca", "ca.crt")
	fmt.Fprintf(p.stdout, `iqgateway demo: everything on loopback, nothing leaves this machine.

  gateway             %s  (certificate authority: %s)
  admin               http://%s
  simulated iQmetrix  %s
  log                 %s

The caller "storefront" has a key of its own and no iQmetrix secret.
`, base, caFile, a.Admin, d.url, filepath.Join(d.dir, "gateway.log"))
	client, err := demoClient(g.local.CAPEM())
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	for i, step := range tour() {
		line, err := step.take(ctx, client, base, d.key)
		if err != nil {
			return fmt.Errorf("demo: %w", err)
		}
		fmt.Fprintf(p.stdout, "\n%d. %s\n   %s\n   → %s\n", i+1, step.title, step.curl(base, caFile, d.key), line)
	}
	_, err = fmt.Fprintf(p.stdout, `
What reached iQmetrix, with whose token:   curl '%s/_sim/ledger'
Who has used which quota:                  gateway quota top --admin-address %s
What the cache has saved:                  gateway cache stats --admin-address %s
What the gateway measured:                 curl 'http://%s/metrics'
Is it ready:                               curl 'http://%s/readyz?verbose'

Press Ctrl-C to end.
`, d.url, a.Admin, a.Admin, a.Admin, a.Admin)
	return err
}

func demoClient(caPEM []byte) (*http.Client, error) {
	pool, err := roots.Pool(caPEM)
	if err != nil {
		return nil, fmt.Errorf("demo: the certificate authority: %w", err)
	}
	return &http.Client{
		Timeout:   30 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true},
	}, nil
}
