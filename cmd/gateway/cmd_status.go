package main

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/spf13/cobra"
)

func (p program) statusCommand() *cobra.Command {
	var flags adminFlags
	var order servicePing
	output, ping, watch := outputFlag("table"), false, false
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show how the fleet is, its replicas and breakers; with --ping its upstreams",
		Long: `Show how the replica that is asked is and what every other one says of itself: ready
or why not, version, configuration, clock, certificates; which shared stores
answer, which breakers are not closed. A star marks what differs.

The exit code is 1 where the fleet is not well: a replica is degraded, not ready or
silent, versions or configurations differ, or a clock is a second off.

--ping asks every service that a caller may use for its ping, once, at most eight
at a time and for ten seconds in all. It costs one token of each quota, needs an
admin.token, and passes open breakers: it is how to look behind one.

` + adminHelp,
		Example: `  gateway status
  gateway status --watch
  gateway status -o json
  gateway status --ping --environment production
  gateway status --ping --service crm -o json`,
		Args: exactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !ping && order != (servicePing{}) {
				return usageError{errors.New("--environment and --service say what --ping asks: add --ping")}
			}
			if watch && ping {
				return usageError{errors.New("--ping costs quota each time: leave out --watch")}
			}
			client, err := p.adminClient(flags)
			if err != nil {
				return err
			}
			if watch {
				return p.watch(cmd.Context(), usualRefresh, func(w io.Writer) error {
					err := showStatus(cmd.Context(), w, client, output, false, order)
					if errors.Is(err, errNotWell) {
						return nil // it is on the screen
					}
					return err
				})
			}
			return showStatus(cmd.Context(), p.stdout, client, output, ping, order)
		},
	}
	flags.register(cmd)
	cmd.Flags().BoolVar(&watch, "watch", false, "refresh every 2s until Ctrl-C")
	cmd.Flags().BoolVar(&ping, "ping", false, "ask the upstreams too (costs quota)")
	cmd.Flags().StringVar(&order.Environment, "environment", "", "ping this environment only")
	cmd.Flags().StringVar(&order.Service, "service", "", "ping this service only")
	cmd.Flags().VarP(&output, "output", "o", "table, json or yaml")
	return cmd
}

// statusAnswer is what the command prints as JSON.
type statusAnswer struct {
	statusDocument

	Services []serviceDocument `json:"services,omitempty"`
}

// errNotWell ends the command where the fleet is not well.
var errNotWell = errors.New("the fleet is not well")

func showStatus(ctx context.Context, w io.Writer, client *adminClient, output outputFlag, ping bool, order servicePing) error {
	var answer statusAnswer
	if err := client.get(ctx, pathStatus, &answer.statusDocument); err != nil {
		return err
	}
	if ping {
		var list serviceList
		if err := client.post(ctx, pathServicePing, order, &list); err != nil {
			return err
		}
		answer.Services = list.Services
	}
	err := output.write(w, answer, func() error {
		if err := writeStatus(w, answer.statusDocument, time.Now()); err != nil || !ping {
			return err
		}
		return writePings(w, answer.Services)
	})
	if err == nil && len(answer.Trouble) > 0 {
		err = errNotWell
	}
	return err
}
