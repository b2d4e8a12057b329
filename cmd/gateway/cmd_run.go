package main

import (
	"context"
	"errors"
	"fmt"
	stdlog "log"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"iqgateway/config"
	"iqgateway/observability"
)

// activeSettings are the parts of the schema whose stage exists; a setting of
// any other part is listed by validate as not active yet.
func activeSettings() []string {
	return []string{
		"version", "include", "data_dir",
		"server.address", "server.hosts", "server.tls.mode", "server.tls.allow_plaintext", "server.tls.certificates", "server.tls.client_ca_file", "server.tls.acme",
		"server.forward_proxy", "server.limits", "server.response_headers", "server.lame_duck", "server.drain_timeout", "server.trusted_proxies",
		"admin.address", "admin.token", "admin.read_token", "admin.hosts", "admin.tls", "admin.pprof", "status", "redis",
		"environments.*.url", "environments.*.suffix", "environments.*.resolver", "environments.*.trusted_tracing",
		"environments.*.allow_plaintext", "environments.*.upstream_tls", "environments.*.proxy_url",
		"credentials.*.environment", "credentials.*.grant", "credentials.*.token_url", "credentials.*.client_id",
		"credentials.*.client_secret", "credentials.*.username", "credentials.*.password", "credentials.*.refresh_ahead", "credentials.*.quota_group",
		"services.*.host", "services.*.prefix", "services.*.url", "services.*.aliases", "services.*.apis",
		"services.*.document", "services.*.proxied", "services.*.reason", "services.*.authentication",
		"services.*.anonymous", "services.*.denied", "services.*.side_effects", "services.*.reads",
		"services.*.sensitive", "services.*.timeouts", "services.*.limits", "services.*.headers", "services.*.session", "services.*.quota", "services.*.cache",
		"services.*.retry", "services.*.breaker", "services.*.throttle_breaker", "services.*.client_mistakes", "services.*.replayable", "services.*.ping",
		"auth.key_headers", "auth.jwt", "auth.token_endpoint", passthrough,
		"callers.*.environment", "callers.*.keys", "callers.*.certificates", "callers.*.subjects", "callers.*.access", "callers.*.class", "callers.*.classes", "callers.*.share", "callers.*.cache", "callers.*.blocked", "callers.*.rate_limit",
		"cache", "telemetry.logs", "telemetry.audit", "telemetry.traces", "telemetry.metrics",
	}
}

// configFlags are the flags of every command that reads a configuration.
type configFlags struct {
	path    string
	set     []string
	offline bool
	seen    *config.Seen // is told which files the configuration has; nil = nobody asks
}

func (f *configFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.path, "config", "c", "", "configuration file (required)")
	cmd.Flags().StringArrayVar(&f.set, "set", nil, "setting above all others, as server.address=127.0.0.1:8443")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml")
}

// load reads the configuration and prints its warnings.
func (p program) load(f configFlags) (*config.Config, error) {
	cfg, warnings, err := p.read(f)
	for _, w := range warnings {
		fmt.Fprintf(p.stderr, "warning: %s\n", w)
	}
	return cfg, err
}

func (p program) read(f configFlags) (*config.Config, config.Problems, error) {
	if f.path == "" {
		return nil, nil, usageError{errors.New("--config FILE is missing")}
	}
	settings := make(map[string]string, len(f.set))
	for _, s := range f.set {
		key, value, ok := strings.Cut(s, "=")
		if !ok {
			return nil, nil, usageError{fmt.Errorf("--set %q: want KEY=VALUE, as server.address=127.0.0.1:8443", s)}
		}
		settings[key] = value
	}
	cfg, warnings, err := config.Load(config.LoadOptions{
		Path: f.path, Environ: p.environ, Flags: settings, Offline: f.offline, Now: time.Now(), Seen: f.seen,
	})
	if err != nil {
		return nil, nil, configError{err}
	}
	return cfg, warnings, nil
}

func (p program) runCommand() *cobra.Command {
	var flags configFlags
	var watch bool
	cmd := &cobra.Command{
		Use:   "run -c FILE",
		Short: "Serve",
		Long: `Serve until SIGTERM or SIGINT, then drain: not ready, but serving, for
server.lame_duck, then at most server.drain_timeout for what still runs. A second
signal leaves that one second, a third ends at once.

An invalid configuration is refused as a whole: exit code 3, every reason with
its file and line, and nothing listens. It is read again when its files or their
includes change, and on SIGHUP: an invalid one is refused and the last one serves
on, a valid one serves every new request.`,
		Example: `  gateway run -c gateway.yaml
  IQGW_SERVER__ADDRESS=127.0.0.1:9443 gateway run -c gateway.yaml
  gateway run -c gateway.yaml --set telemetry.logs.level=debug`,
		Args: exactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if watch {
				flags.seen = &config.Seen{}
			}
			cfg, err := p.load(flags)
			if err != nil {
				return err
			}
			p.advise(cfg)
			for _, s := range cfg.Inactive(activeSettings()) {
				fmt.Fprintf(p.stderr, "warning: %s\n", s)
			}
			return p.serve(cmd.Context(), cfg, sources{seen: flags.seen, read: func() (*config.Config, config.Problems, error) {
				cfg, warnings, err := p.read(flags)
				if err != nil {
					return nil, nil, err
				}
				return cfg, append(warnings, cfg.Inactive(activeSettings())...), nil
			}})
		},
	}
	flags.register(cmd)
	cmd.Flags().BoolVar(&watch, "watch", true, "read the configuration again when its files change")
	return cmd
}

// advise warns of what is allowed, but puts the account at risk.
func (p program) advise(cfg *config.Config) {
	remembers := cfg.DataDir != "" || cfg.Redis != nil && len(cfg.Redis.EncryptionKeys) > 0
	if len(cfg.Credentials) > 0 && !remembers {
		fmt.Fprintln(p.stderr, "warning: data_dir: is not set, and nothing is kept in Redis: a gateway that restarts forgets that a password was refused, and could lock the account")
	}
}

// sources are where a configuration comes from.
type sources struct {
	// read reads all of them again; nil = there are none.
	read func() (*config.Config, config.Problems, error)
	// seen are the files to follow; nil = none.
	seen *config.Seen
}

// serve runs a gateway of cfg until ctx ends.
func (p program) serve(ctx context.Context, cfg *config.Config, from sources) error {
	if p.brokenPipes != nil {
		p.brokenPipes()
	}
	log, err := openLog(p.stdout, cfg.Telemetry.Logs)
	if err != nil {
		return err
	}
	defer log.run(p.stderr)() //nolint:contextcheck // it writes to the very end, whatever has ended before
	if p.logs != nil {
		p.logs(log.lines)
	}
	// net/http's transport writes what it makes of odd upstreams to the standard
	// logger, whatever logger it is given.
	stdlog.SetFlags(0)
	stdlog.SetOutput(observability.LibraryLog(log.Logger))
	quietTelemetry(log.Logger)
	var hangups <-chan os.Signal
	if p.hangups != nil { // one that comes while it starts would end the process
		told, stop := p.hangups()
		defer stop()
		hangups = told
	}
	g, err := newGateway(ctx, cfg, log.Logger, streams{stdout: log.lines, stderr: p.stderr, environ: p.environ})
	if err != nil {
		return err
	}
	if err := log.measure(g.stores.metrics); err != nil { //nolint:contextcheck // lines are of no request
		g.close(ctx)
		return err
	}
	g.hurry, g.level, g.reloads.sources, g.reloads.hangups = p.hurry, log.level, from, hangups
	g.setLevel() // an override may be on it
	if p.opened != nil {
		p.opened(g)
	}
	a := g.addresses()
	log.Info("serving", slog.String("version", version), slog.String("server", a.Server), slog.String("tls", cfg.Server.TLS.Mode),
		slog.String("forward_proxy", a.ForwardProxy), slog.String("admin", a.Admin), slog.String("status", a.Status))
	if p.started != nil {
		p.started(a)
	}
	return g.run(ctx)
}
