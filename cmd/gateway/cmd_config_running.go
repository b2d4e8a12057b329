package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"iqgateway/config"
)

// configDifference is a setting that a file has otherwise than a running gateway.
type configDifference struct {
	config.Difference

	NeedsRestart bool `json:"needs_restart"`
}

// configDifferences is what gateway config diff prints.
type configDifferences struct {
	Replica     string             `json:"replica"`
	Hash        string             `json:"hash"` // of the running one
	Differences []configDifference `json:"differences"`
}

func (p program) configReloadCommand() *cobra.Command {
	var flags adminFlags
	output, order := outputFlag("table"), configReload{}
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Have every replica read its configuration again",
		Long: `Have every replica read its own files again, each whole or not at all: an invalid
one is refused there, and the last one serves on. Replicas follow their files by
themselves, unless they run with --watch=false; this does it now, and tells what
has become of it on each.

` + adminHelp,
		Example: `  gateway config reload
  gateway config reload --reason "CHG-12" -o json`,
		Args: exactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := p.adminClient(flags)
			if err != nil {
				return err
			}
			var done reloadAnswer
			if err := client.post(cmd.Context(), pathConfigReload, order, &done); err != nil {
				return err
			}
			if err := output.write(p.stdout, done, func() error { return writeReloaded(p.stdout, done) }); err != nil {
				return err
			}
			if done.Fleet.Alone && done.Fleet.Replicas == 1 {
				return nil
			}
			return notFollowed(done.Fleet)
		},
	}
	flags.register(cmd)
	order.register(cmd)
	cmd.Flags().VarP(&output, "output", "o", "table, json or yaml")
	return cmd
}

func writeReloaded(w io.Writer, done reloadAnswer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "REPLICA\tCONFIGURATION\tCHANGED\tPROBLEM")
	for _, r := range done.Replicas {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", printable(r.Replica), shown(r.Hash), shown(strings.Join(r.Changed, " ")), shown(r.Problem))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if len(done.NeedsRestart) > 0 {
		fmt.Fprintf(w, "needs a restart: %s\n", printable(strings.Join(done.NeedsRestart, " ")))
	}
	for _, warning := range done.Warnings {
		fmt.Fprintf(w, "warning: %s\n", printable(warning))
	}
	_, err := fmt.Fprintln(w, followedText(done.Fleet))
	return err
}

func shown(text string) string {
	if text == "" {
		return "-"
	}
	return printable(text)
}

func (p program) configDiffCommand() *cobra.Command {
	var flags adminFlags
	var from configFlags
	output := outputFlag("table")
	cmd := &cobra.Command{
		Use:   "diff -c FILE",
		Short: "Compare a file with what a running gateway serves",
		Long: `Compare a file, and what it includes, with the configuration that a running replica
serves, defaults included: what a reload of the file would change, and what of that
only a restart would. References to secrets are compared, not what they lead to;
secrets that are written out are *** on both sides and never differ. Variables
(IQGW_…) count for the running one alone: give them here with --set.

The exit code is 0 whether they differ or not, and 3 for an invalid file.

` + adminHelp,
		Example: `  gateway config diff -c gateway.yaml
  gateway config diff -c gateway.yaml --set server.address=127.0.0.1:8443 -o json`,
		Args: exactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := p.configDiff(cmd, flags, from)
			if err != nil {
				return err
			}
			return output.write(p.stdout, d, func() error { return writeDifferences(p.stdout, d) })
		},
	}
	flags.register(cmd)
	from.register(cmd)
	cmd.Flags().VarP(&output, "output", "o", "table, json or yaml")
	return cmd
}

func (p program) configDiff(cmd *cobra.Command, flags adminFlags, from configFlags) (configDifferences, error) {
	client, err := p.adminClient(flags)
	if err != nil {
		return configDifferences{}, err
	}
	plain := p // variables that name the admin server are no settings of the file
	plain.environ = nil
	from.offline = true
	cfg, _, err := plain.read(from)
	if err != nil {
		return configDifferences{}, err
	}
	var running configDocument
	if err := client.get(cmd.Context(), pathConfig, &running); err != nil {
		return configDifferences{}, err
	}
	var text strings.Builder
	if err := cfg.Print(&text, config.PrintOptions{}); err != nil {
		return configDifferences{}, err
	}
	found, err := config.Diff(running.YAML, text.String())
	if err != nil {
		return configDifferences{}, errors.Join(errors.New("the versions of this program and of the gateway may differ too much"), err)
	}
	mode := cfg.Server.TLS.Mode
	if i := slices.IndexFunc(found, func(one config.Difference) bool { return one.Path == "server.tls.mode" }); i >= 0 {
		mode = found[i].Old
	}
	d := configDifferences{Replica: running.Replica, Hash: running.Hash, Differences: []configDifference{}}
	for _, one := range found {
		d.Differences = append(d.Differences, configDifference{one, isFixed(one.Path, fixedSettings(mode))})
	}
	return d, nil
}

func writeDifferences(w io.Writer, d configDifferences) error {
	if len(d.Differences) == 0 {
		_, err := fmt.Fprintf(w, "no difference: replica %s serves what the file says (%s)\n", printable(d.Replica), printable(d.Hash))
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "SETTING\tRUNNING\tFILE\tNEEDS")
	for _, one := range d.Differences {
		needs := "reload"
		if one.NeedsRestart {
			needs = "restart"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", printable(one.Path), shown(one.Old), shown(one.New), needs)
	}
	return t.Flush()
}
