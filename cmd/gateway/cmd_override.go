package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"iqgateway/config"
)

func (p program) overrideCommand() *cobra.Command {
	var flags adminFlags
	cmd := &cobra.Command{
		Use:   "override",
		Short: "Lay settings over the configuration of a running fleet, for a time",
		Long: `Change single settings of a running fleet at once and for a time, without touching a
file: block a caller that floods, stop enforcing a quota that is wrong, answer
nothing from the cache. An override lies above files, variables and flags, holds on
every replica, also on those that start later, and ends by itself.

The rules of the configuration count: an override with which it would not be valid
is refused and changes nothing. A reload keeps overrides, unless they were set with
--until-reload. What is to stay belongs into the configuration.

What can be overridden:
  ` + strings.Join(config.Overridable(), "\n  ") + `

` + adminHelp,
		Args: subcommandRequired,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	flags.register(cmd)
	cmd.AddCommand(p.overrideListCommand(&flags), p.overrideSetCommand(&flags), p.overrideClearCommand(&flags))
	return cmd
}

func (p program) overrideListCommand(flags *adminFlags) *cobra.Command {
	output := outputFlag("table")
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "Show the overrides that hold: value, until when, who and why",
		Example: `  gateway override list`,
		Args:    exactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := p.adminClient(*flags)
			if err != nil {
				return err
			}
			var list overrideList
			if err := client.get(cmd.Context(), pathOverrides, &list); err != nil {
				return err
			}
			return output.write(p.stdout, list, func() error {
				if len(list.Overrides) == 0 {
					_, err := fmt.Fprintln(p.stdout, "no override: the configuration holds as it is written")
					return err
				}
				return writeOverrides(p.stdout, list.Overrides, time.Now())
			})
		},
	}
	cmd.Flags().VarP(&output, "output", "o", "table, json or yaml")
	return cmd
}

// writeOverrides prints one line an override.
func writeOverrides(w io.Writer, all []overrideDocument, now time.Time) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, "OVERRIDE\tVALUE\tUNTIL\tBY\tREASON\tNOTE")
	for _, d := range all {
		var notes []string
		if d.UntilReload {
			notes = append(notes, "or until a reload changes the configuration")
		}
		if d.Unfit != "" {
			notes = append(notes, "does nothing on this replica: "+printable(d.Unfit))
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", printable(d.Key), printable(d.Value), instant(d.Until, now),
			printable(d.By), printable(d.Reason), cmp.Or(strings.Join(notes, "; "), "-"))
	}
	return t.Flush()
}

func (p program) overrideSetCommand(flags *adminFlags) *cobra.Command {
	output, order, untilReload := outputFlag("table"), orderFlags{}, false
	cmd := &cobra.Command{
		Use:   "set KEY=VALUE --for DURATION --reason TEXT",
		Short: "Lay one setting over the configuration of every replica, for a time",
		Long: `Lay one setting over the configuration of every replica at once, for a time; in place
of an override of the same setting. KEY is a path of the configuration, as
` + "`gateway override --help`" + ` lists them; VALUE is written as in the file.

The replica that is asked checks it against its configuration first. If Redis does
not answer it holds on that replica alone, which the answer says, and on the others
as soon as Redis is back. --reason is shown to whoever looks at the setting. The
gateway needs an admin.token for this.`,
		Example: `  gateway override set callers.reporting.blocked=true --for 1h --reason "floods the crm"
  gateway override set services.crm.quota.enforce=false --for 30m --reason "the limit that they send is wrong"
  gateway override set services.catalogs.cache.mode=none --for 2h --reason "wrong prices" --until-reload`,
		Args: exactArgs(1, "one KEY=VALUE, as callers.reporting.blocked=true"),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, value, ok := strings.Cut(args[0], "=")
			if !ok {
				return usageError{fmt.Errorf("%q: want KEY=VALUE, as callers.reporting.blocked=true", args[0])}
			}
			if err := order.check(cmd, overrideLimits()); err != nil {
				return err
			}
			return p.changeOverrides(cmd, *flags, output, http.MethodPost, "set", overrideSet{key, value, order.lasting.String(), order.reason, untilReload})
		},
	}
	order.register(cmd, overrideLimits())
	cmd.Flags().BoolVar(&untilReload, "until-reload", false, "end it with the next change of the configuration, too")
	cmd.Flags().VarP(&output, "output", "o", "table, json or yaml")
	return cmd
}

func (p program) overrideClearCommand(flags *adminFlags) *cobra.Command {
	output, all, why := outputFlag("table"), false, orderWhy{}
	cmd := &cobra.Command{
		Use:   "clear KEY | --all",
		Short: "End an override before its time, on every replica",
		Example: `  gateway override clear callers.reporting.blocked
  gateway override clear --all`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usageError{fmt.Errorf("want one KEY, or --all, got %d arguments", len(args))}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if (len(args) == 0) != all {
				return usageError{errors.New("want one KEY, as callers.reporting.blocked, or --all")}
			}
			return p.changeOverrides(cmd, *flags, output, http.MethodDelete, "cleared", overrideClear{strings.Join(args, ""), all, why})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "every override")
	why.register(cmd)
	cmd.Flags().VarP(&output, "output", "o", "table, json or yaml")
	return cmd
}

func (p program) changeOverrides(cmd *cobra.Command, flags adminFlags, output outputFlag, method, done string, body any) error {
	client, err := p.adminClient(flags)
	if err != nil {
		return err
	}
	var c overrideChanged
	if err := client.change(cmd.Context(), method, pathOverrides, body, &c); err != nil {
		return err
	}
	err = output.write(p.stdout, c, func() error { return writeChangedOverrides(p.stdout, c, done, time.Now()) })
	if err != nil {
		return err
	}
	return overrideNotFollowed(c)
}

func writeChangedOverrides(w io.Writer, c overrideChanged, done string, now time.Time) error {
	for _, d := range c.Overrides {
		fmt.Fprintf(w, "%s=%s is %s", printable(d.Key), printable(d.Value), done)
		if done == "set" {
			fmt.Fprintf(w, " until %s: %s", instant(d.Until, now), printable(d.Reason))
		}
		fmt.Fprintln(w)
	}
	if len(c.Overrides) == 0 {
		fmt.Fprintln(w, "there was no override")
	}
	for _, warning := range c.Warnings {
		fmt.Fprintf(w, "warning: %s\n", printable(warning))
	}
	_, err := fmt.Fprintln(w, followedText(c.Fleet))
	return err
}

// overrideNotFollowed is the failure of an order that does not hold on every
// replica, as far as is known. It needs no repeating: it is kept, here or in Redis.
func overrideNotFollowed(c overrideChanged) error {
	switch {
	case c.Fleet.Followed >= c.Fleet.Replicas || !c.Fleet.Alone:
		return notFollowed(c.Fleet)
	case c.HereOnly:
		return fmt.Errorf("only the replica that was asked has followed, of %d: %s; the others follow by themselves when Redis answers, or ask each by its own admin server", c.Fleet.Replicas, printable(c.Fleet.Reason))
	default:
		return fmt.Errorf("nobody knows which of %d replicas have followed besides the one that was asked: the order is in Redis, where each looks every two seconds", c.Fleet.Replicas)
	}
}
