package main

import (
	"fmt"
	"net/url"
	"time"

	"github.com/spf13/cobra"
)

func (p program) quotaCommand() *cobra.Command {
	var flags adminFlags
	cmd := &cobra.Command{
		Use:   "quota",
		Short: "Show and block upstream quotas of a running fleet",
		Long: `Show how much of each upstream quota is used and by whom, and hold a quota back
on every replica of the fleet.

A bucket is one quota of an upstream: environment/service/policy, where the
policy is authenticated or anonymous. It has a fourth part, a credential or a
quota group, where the upstream counts several of them apart.

` + adminHelp,
		Args: subcommandRequired,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	flags.register(cmd)
	cmd.AddCommand(p.quotaListCommand(&flags), p.quotaShowCommand(&flags), p.quotaTopCommand(&flags),
		p.quotaBlockCommand(&flags), p.quotaUnblockCommand(&flags))
	return cmd
}

func (p program) quotaListCommand(flags *adminFlags) *cobra.Command {
	output, all := outputFlag("table"), false
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Show every bucket: limit, used, left, when it opens",
		Long: `Show the buckets that are in use, one a line.

  OURS    tokens that this fleet has taken of the window, leases included
  OTHERS  tokens that others must have used of it, by the upstream's count
  LEFT    what can still be taken; a margin is kept back where others are busy
  OPENS   when the window ends
  NOTE    why nothing goes out, or what is out of the ordinary`,
		Example: `  gateway quota list
  gateway quota list --all -o json`,
		Args: exactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := p.adminClient(*flags)
			if err != nil {
				return err
			}
			var list quotaList
			if err := client.get(cmd.Context(), pathQuotas, &list); err != nil {
				return err
			}
			return output.write(p.stdout, list, func() error { return writeQuotas(p.stdout, list.Quotas, all, time.Now()) })
		},
	}
	cmd.Flags().VarP(&output, "output", "o", "table, json or yaml")
	cmd.Flags().BoolVar(&all, "all", false, "buckets that no request has needed yet too")
	return cmd
}

const bucketArgument = "one BUCKET, as production/crm/authenticated (`gateway quota list` shows them)"

func (p program) quotaShowCommand(flags *adminFlags) *cobra.Command {
	output := outputFlag("table")
	cmd := &cobra.Command{
		Use:   "show BUCKET",
		Short: "Show one bucket: who used what, its last windows, and whether scope fits",
		Long: `Show one bucket: its state, what each caller has used of the window and may
count on, and the last windows.

The windows are the evidence for services.NAME.quota.scope, which says what the
upstream counts by. OURS and UPSTREAM agree where it is right. Where the upstream
counts more, others draw on the same quota; where it counts less, it counts by
something narrower, or not everything.`,
		Example: `  gateway quota show production/crm/authenticated
  gateway quota show production/crm/authenticated -o json`,
		Args: exactArgs(1, bucketArgument),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := p.adminClient(*flags)
			if err != nil {
				return err
			}
			var one quotaOne
			if err := client.find(cmd.Context(), pathQuotas, url.Values{parameterOf: {args[0]}}, &one); err != nil {
				return err
			}
			return output.write(p.stdout, one, func() error { return writeQuota(p.stdout, one.Quota, time.Now()) })
		},
	}
	cmd.Flags().VarP(&output, "output", "o", "table, json or yaml")
	return cmd
}

func (p program) quotaBlockCommand(flags *adminFlags) *cobra.Command {
	output, order := outputFlag("table"), orderFlags{}
	cmd := &cobra.Command{
		Use:   "block BUCKET --for DURATION --reason TEXT",
		Short: "Send nothing on a bucket for a time, on every replica",
		Long: `Have no replica send anything on a bucket for a time: when iQmetrix asks for it,
or when another program needs the quota more. Requests wait as long as they may
and are then refused with 429 and the time when it ends. Tokens that replicas hold
already are spent or run out within seconds.

The block ends by itself. --reason is shown to whoever looks at the bucket; it
stands in Redis and in the log. The gateway needs an admin.token for this. A bucket
with enforce: false holds nobody, a block neither.`,
		Example: `  gateway quota block production/crm/authenticated --for 10m --reason "INC-4711: iQmetrix asks for a pause"`,
		Args:    exactArgs(1, bucketArgument),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := order.check(cmd, blockLimits()); err != nil {
				return err
			}
			return p.changeQuota(cmd, *flags, output, pathQuotaBlock, quotaBlock{args[0], order.lasting.String(), order.reason})
		},
	}
	order.register(cmd, blockLimits())
	cmd.Flags().VarP(&output, "output", "o", "table, json or yaml")
	return cmd
}

func (p program) quotaUnblockCommand(flags *adminFlags) *cobra.Command {
	output, why := outputFlag("table"), orderWhy{}
	cmd := &cobra.Command{
		Use:   "unblock BUCKET",
		Short: "End a block before its time",
		Long: `End the block of a bucket on every replica, within a second. A bucket that is not
blocked stays as it is, and a window that is spent stays spent.`,
		Example: `  gateway quota unblock production/crm/authenticated`,
		Args:    exactArgs(1, bucketArgument),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.changeQuota(cmd, *flags, output, pathQuotaUnblock, quotaUnblock{args[0], why})
		},
	}
	why.register(cmd)
	cmd.Flags().VarP(&output, "output", "o", "table, json or yaml")
	return cmd
}

func (p program) changeQuota(cmd *cobra.Command, flags adminFlags, output outputFlag, path string, body any) error {
	client, err := p.adminClient(flags)
	if err != nil {
		return err
	}
	var changed quotaChanged
	if err := client.post(cmd.Context(), path, body, &changed); err != nil {
		return err
	}
	return output.write(p.stdout, changed, func() error {
		text := "is open to every replica again; they follow within a second"
		if changed.Until != nil {
			text = "is blocked for every replica until " + instant(*changed.Until, time.Now()) + ": " + printable(changed.Reason)
		}
		_, err := fmt.Fprintln(p.stdout, printable(changed.Bucket), text)
		return err
	})
}
