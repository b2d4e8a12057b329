package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// explainRequest shows what became of a request that some replica has served.
func (p program) explainRequest(cmd *cobra.Command, flags adminFlags, output outputFlag, id string) error {
	client, err := p.adminClient(flags)
	if err != nil {
		return err
	}
	var d requestDocument
	if err := client.get(cmd.Context(), pathRequests+id, &d); err != nil {
		return err
	}
	return output.write(p.stdout, d, func() error { return writeRequest(p.stdout, d) })
}

func writeRequest(w io.Writer, d requestDocument) error {
	fmt.Fprintf(w, "%s: %s %s at %s, on replica %s\n\n", d.RequestID, d.Method, cmp.Or(d.Route, "-"), d.Started.Format("2006-01-02 15:04:05.000 MST"), d.Replica)
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	for _, s := range d.Stages {
		fmt.Fprintf(t, "%s\t%s\n", s.Stage, s.Decision)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if p := d.Problem; p != nil && p.Detail != "" {
		fmt.Fprintf(w, "\n%s: %s\n", p.Title, printable(p.Detail))
	}
	if len(d.Dropped) > 0 {
		fmt.Fprintf(w, "\nnot sent upstream: %s\n", printable(strings.Join(d.Dropped, ", ")))
	}
	return nil
}
