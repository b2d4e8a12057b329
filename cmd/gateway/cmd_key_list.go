package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

func (p program) keyListCommand() *cobra.Command {
	var flags adminFlags
	var caller string
	output := outputFlag("table")
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Show the callers' keys, certificates and subjects of a running fleet",
		Long: `Show how callers prove who they are, until when, and when each was last used with
success by the whole fleet (without Redis: by the replica that is asked, since it
started). What ends within 14 days is marked.

` + adminHelp,
		Example: `  gateway key list
  gateway key list --caller storefront -o json`,
		Args: exactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := p.adminClient(flags)
			if err != nil {
				return err
			}
			var list callerList
			if err := client.get(cmd.Context(), pathCallers, &list); err != nil {
				return err
			}
			if list.Callers, err = chooseCaller(list.Callers, caller); err != nil {
				return err
			}
			if list.HereOnly != "" {
				fmt.Fprintf(p.stderr, "warning: last uses are those of replica %s alone: %s\n", printable(list.Replica), printable(list.HereOnly))
			}
			return output.write(p.stdout, list, func() error { return writeKeys(p.stdout, list.Callers, time.Now()) })
		},
	}
	flags.register(cmd)
	cmd.Flags().StringVar(&caller, "caller", "", "only this caller")
	cmd.Flags().VarP(&output, "output", "o", "table, json or yaml")
	return cmd
}

// chooseCaller returns the one that is named, all for "".
func chooseCaller(all []callerDocument, name string) ([]callerDocument, error) {
	if name == "" {
		return all, nil
	}
	var known []string
	for _, c := range all {
		known = append(known, c.Caller)
	}
	if i := slices.Index(known, name); i >= 0 {
		return all[i : i+1], nil
	}
	return nil, errors.New(printable(unknownName("caller", name, known)))
}

// writeKeys prints one line a credential.
func writeKeys(w io.Writer, callers []callerDocument, now time.Time) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, "CALLER\tKIND\tID\tEXPIRES\tLAST USED")
	shown := 0
	for _, c := range callers {
		for _, k := range c.Credentials {
			shown++
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", printable(c.Caller), printable(k.Proof), cmp.Or(printable(k.ID), "-"), expiryText(k), usedText(k, now))
		}
	}
	if shown == 0 {
		_, err := fmt.Fprintln(w, "no caller has a credential")
		return err
	}
	return t.Flush()
}

func expiryText(k credentialDocument) string {
	if k.Expires == nil {
		return "never"
	}
	text := k.Expires.UTC().Format(time.DateOnly)
	if k.State != "ok" {
		text += " (" + printable(k.State) + ")"
	}
	return text
}

func usedText(k credentialDocument, now time.Time) string {
	if k.LastUsed == nil {
		return "never"
	}
	return span(max(0, now.Sub(*k.LastUsed))) + " ago"
}
