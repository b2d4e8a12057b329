package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"iqgateway/config"
)

func (p program) validateCommand() *cobra.Command {
	var flags configFlags
	cmd := &cobra.Command{
		Use:     "validate -c FILE",
		Aliases: []string{"check"},
		Short:   "Check a configuration",
		Long: `Check a configuration as ` + "`gateway run`" + ` would: every source, every reference and
what cannot be meant. Settings whose feature does not exist yet are listed as
not active yet.

--offline checks everything except that files and variables exist, for CI
machines that hold no secrets.`,
		Example: `  gateway validate -c gateway.yaml
  gateway validate -c gateway.yaml --offline`,
		Args: exactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := p.load(flags)
			if err != nil {
				return err
			}
			p.advise(cfg)
			for _, s := range cfg.Inactive(activeSettings()) {
				fmt.Fprintln(p.stdout, s)
			}
			if !flags.offline {
				if err := buildOnce(cmd.Context(), cfg); err != nil {
					return configError{err}
				}
			}
			_, err = fmt.Fprintf(p.stdout, "%s is valid: %d callers, %d credentials, %d environments\n",
				flags.path, len(cfg.Callers), len(cfg.Credentials), len(cfg.EnvironmentNames()))
			return err
		},
	}
	flags.register(cmd)
	cmd.Flags().BoolVar(&flags.offline, "offline", false, "do not look for files and variables that the configuration names")
	return cmd
}

// buildOnce builds a pipeline and drops it: what the text of a configuration
// cannot show (a certificate that does not parse) is found before anything
// listens. It writes nothing, so a local authority is not made.
func buildOnce(ctx context.Context, cfg *config.Config) error {
	st, err := newStores(cfg, slog.New(slog.DiscardHandler), "") //nolint:contextcheck // its log lines are of no request
	if err != nil {
		return err
	}
	g := &gateway{cfg: cfg, log: st.log, stores: st}
	defer g.close(ctx)
	if cfg.Server.TLS.Mode != tlsSelfSigned {
		if _, _, err := g.serverTLS(); err != nil {
			return err
		}
	}
	if _, err := g.adminTLS(); err != nil {
		return err
	}
	generation, err := newGeneration(cfg, st, pipelineOptions{})
	if err != nil {
		return err
	}
	generation.close()
	return nil
}
