package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

func (p program) breakerCommand() *cobra.Command {
	var flags adminFlags
	cmd := &cobra.Command{
		Use:   "breaker",
		Short: "Show, open, close and reset circuit breakers of a running fleet",
		Long: `Show which upstreams are refused because they fail, and stop or release one on
every replica of the fleet.

Each upstream (environment/service) has a breaker for failures: 5xx, timeouts,
connections. A quota bucket gets one of its own (…/throttle/…) when the upstream
answers 429 without telling when to come again.

` + adminHelp,
		Args: subcommandRequired,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	flags.register(cmd)
	cmd.AddCommand(p.breakerListCommand(&flags), p.breakerResetCommand(&flags),
		p.breakerForceCommand(&flags, breakerOrder{
			verb: "open", path: pathBreakerOpen, short: "Send nothing to an upstream for a time, on every replica",
			long: `Refuse every request to an upstream with 503 for a time, on every replica: when it
is under maintenance, or must be left alone. Stored answers are still given where
the cache's rules allow. It ends by itself.`,
			example: `  gateway breaker open production/crm --for 30m --reason "maintenance of the provider"`,
		}),
		p.breakerForceCommand(&flags, breakerOrder{
			verb: "close", path: pathBreakerClose, short: "Keep a breaker closed for a time, whatever fails, on every replica",
			long: `Let every request pass for a time, whatever fails: when a breaker takes a service
away that callers need even so. It ends by itself.`,
			example: `  gateway breaker close production/order --for 10m --reason "half of the orders is better than none"`,
		}))
	return cmd
}

func (p program) breakerListCommand(flags *adminFlags) *cobra.Command {
	output, all := outputFlag("table"), false
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Show the breakers: state, reason, next probe",
		Long: `Show the breakers that have something to tell, one a line. The quota's own gate
stands beside them: a window that is spent also ends by itself.

  FAILED  failures of all requests in the window, on the replica that is asked
  NEXT    when a request may find out whether the upstream is well`,
		Example: `  gateway breaker list
  gateway breaker list --all -o json`,
		Args: exactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := p.adminClient(*flags)
			if err != nil {
				return err
			}
			var list breakerList
			if err := client.get(cmd.Context(), pathBreakers, &list); err != nil {
				return err
			}
			return output.write(p.stdout, list, func() error { return writeBreakers(p.stdout, list.Breakers, all, time.Now()) })
		},
	}
	cmd.Flags().VarP(&output, "output", "o", "table, json or yaml")
	cmd.Flags().BoolVar(&all, "all", false, "breakers that are closed and have counted nothing too")
	return cmd
}

const breakerArgument = "one BREAKER, as production/crm (`gateway breaker list --all` shows them)"

// breakerOrder is a state that a breaker can be forced into.
type breakerOrder struct{ verb, path, short, long, example string }

func (p program) breakerForceCommand(flags *adminFlags, o breakerOrder) *cobra.Command {
	output, order := outputFlag("table"), orderFlags{}
	cmd := &cobra.Command{
		Use:   o.verb + " BREAKER --for DURATION --reason TEXT",
		Short: o.short,
		Long: o.long + ` --reason is shown to whoever looks at the breaker; it stands
in Redis and in the log. The gateway needs an admin.token for this.`,
		Example: o.example,
		Args:    exactArgs(1, breakerArgument),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := order.check(cmd, forceLimits()); err != nil {
				return err
			}
			return p.changeBreaker(cmd, *flags, output, o.path, breakerForce{args[0], order.lasting.String(), order.reason})
		},
	}
	order.register(cmd, forceLimits())
	cmd.Flags().VarP(&output, "output", "o", "table, json or yaml")
	return cmd
}

func (p program) breakerResetCommand(flags *adminFlags) *cobra.Command {
	output, why := outputFlag("table"), orderWhy{}
	cmd := &cobra.Command{
		Use:   "reset BREAKER",
		Short: "Close a breaker and forget what it has counted",
		Long: `Close a breaker on every replica, forget what was counted and end a forced state.
It opens again if the upstream still fails.`,
		Example: `  gateway breaker reset production/crm`,
		Args:    exactArgs(1, breakerArgument),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.changeBreaker(cmd, *flags, output, pathBreakerReset, breakerReset{args[0], why})
		},
	}
	why.register(cmd)
	cmd.Flags().VarP(&output, "output", "o", "table, json or yaml")
	return cmd
}

func (p program) changeBreaker(cmd *cobra.Command, flags adminFlags, output outputFlag, path string, body any) error {
	client, err := p.adminClient(flags)
	if err != nil {
		return err
	}
	var changed breakerChanged
	if err := client.post(cmd.Context(), path, body, &changed); err != nil {
		return err
	}
	err = output.write(p.stdout, changed, func() error {
		text := "is reset"
		if changed.Until != nil {
			text = "is forced " + printable(changed.State) + " until " + instant(*changed.Until, time.Now()) + ": " + printable(changed.Reason)
		}
		_, err := fmt.Fprintf(p.stdout, "%s %s\n%s\n", printable(changed.Breaker), text, followedText(changed.Fleet))
		return err
	})
	if err != nil {
		return err
	}
	return orderNotFollowed(changed)
}

// orderNotFollowed is the failure of an order that does not hold on every
// replica, as far as is known. Other than the commands of tokens and caches it
// needs no repeating: it is kept, here or in Redis.
func orderNotFollowed(c breakerChanged) error {
	switch {
	case c.Fleet.Followed >= c.Fleet.Replicas || !c.Fleet.Alone:
		return notFollowed(c.Fleet)
	case c.HereOnly:
		return fmt.Errorf("only the replica that was asked has followed, of %d: Redis does not answer; the others follow by themselves when it does", c.Fleet.Replicas)
	default:
		return fmt.Errorf("nobody knows which of %d replicas have followed besides the one that was asked: the order is in Redis, where each looks twice a second; ask each by its own admin server", c.Fleet.Replicas)
	}
}
