package main

import (
	"errors"
	"time"

	"github.com/spf13/cobra"
)

func (p program) statusCommand() *cobra.Command {
	var flags adminFlags
	var order servicePing
	output, ping := outputFlag("table"), false
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show how a replica is, its fleet, its breakers; with --ping its upstreams",
		Long: `Show how the replica that is asked is: ready or why not, who else is in the fleet,
which shared stores answer, which breakers are not closed.

--ping asks every service that a caller may use for its ping, once, at most eight
at a time and for ten seconds in all. It costs one token of each quota, needs an
admin.token, and passes open breakers: it is how to look behind one.

` + adminHelp,
		Example: `  gateway status
  gateway status --ping --environment production
  gateway status --ping --service crm -o json`,
		Args: exactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !ping && order != (servicePing{}) {
				return usageError{errors.New("--environment and --service say what --ping asks: add --ping")}
			}
			return p.showStatus(cmd, flags, output, ping, order)
		},
	}
	flags.register(cmd)
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

func (p program) showStatus(cmd *cobra.Command, flags adminFlags, output outputFlag, ping bool, order servicePing) error {
	client, err := p.adminClient(flags)
	if err != nil {
		return err
	}
	var answer statusAnswer
	if err := client.get(cmd.Context(), pathStatus, &answer.statusDocument); err != nil {
		return err
	}
	if ping {
		var list serviceList
		if err := client.post(cmd.Context(), pathServicePing, order, &list); err != nil {
			return err
		}
		answer.Services = list.Services
	}
	return output.write(p.stdout, answer, func() error {
		if err := writeStatus(p.stdout, answer.statusDocument, time.Now()); err != nil || !ping {
			return err
		}
		return writePings(p.stdout, answer.Services)
	})
}
