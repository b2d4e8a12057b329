package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

func (p program) explainCommand() *cobra.Command {
	var flags configFlags
	var q explainQuery
	var output string
	cmd := &cobra.Command{
		Use:   "explain -c FILE --as CALLER 'METHOD URL'",
		Short: "Say what would become of a request, and why",
		Long: `Say what the gateway would do with a request: environment, service, upstream,
credential, quota bucket and share, cache rule, timeouts, each with where it
comes from (default, catalogue, file and line, variable), and which rules were
considered and lost. Nothing is sent; secrets are not needed.

The URL is a path (/crm/v1/…, /sandbox/crm/v1/…), a native one
(https://crmdemo.iqmetrix.net/v1/…), or the gateway's own.`,
		Example: `  gateway explain -c gateway.yaml --as storefront 'GET /crm/v1/Companies(1)/Customers'
  gateway explain -c gateway.yaml --as storefront -o json 'POST https://ordersdemo.iqmetrix.net/v1/…'`,
		Args: exactArgs(1, "one quoted 'METHOD URL'"),
		RunE: func(_ *cobra.Command, args []string) error {
			method, url, ok := strings.Cut(strings.TrimSpace(args[0]), " ")
			if !ok {
				return usageError{fmt.Errorf("%q: want 'METHOD URL', as 'GET /crm/v1/Companies(1)'", args[0])}
			}
			if q.caller == "" {
				return usageError{errors.New("--as CALLER is missing")}
			}
			if output != "table" && output != "json" {
				return usageError{fmt.Errorf("output %q is neither table nor json", output)}
			}
			q.method, q.url = method, strings.TrimSpace(url)
			flags.offline = true
			cfg, _, err := p.read(flags)
			if err != nil {
				return err
			}
			e, err := explain(cfg, q)
			if err != nil {
				return err
			}
			if output == "json" {
				return writeExplanationJSON(p.stdout, e)
			}
			return writeExplanation(p.stdout, e)
		},
	}
	flags.register(cmd)
	cmd.Flags().StringVar(&q.caller, "as", "", "caller that asks (required)")
	cmd.Flags().StringVar(&q.credential, "credential", "", "as if it sent X-Gateway-Credential")
	cmd.Flags().StringVar(&q.priority, "priority", "", "as if it sent X-Request-Priority")
	cmd.Flags().BoolVar(&q.body, "body", false, "as if it sent a body (a POST, PUT or PATCH does)")
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	return cmd
}

func writeExplanationJSON(w io.Writer, e explanation) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(e)
}

func writeExplanation(w io.Writer, e explanation) error {
	fmt.Fprintf(w, "%s as %s\n\n", e.Request, e.Caller)
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	for _, f := range e.Facts {
		fmt.Fprintf(t, "%s\t%s\t%s\n", f.Name, f.Value, f.Source)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if len(e.Considered) > 0 {
		fmt.Fprintln(w, "\nconsidered:")
	}
	for _, c := range e.Considered {
		mark := "  "
		if c.Chosen {
			mark = "→ "
		}
		fmt.Fprint(w, "  ", mark, c.Rule)
		if c.Reason != "" {
			fmt.Fprint(w, ": ", c.Reason)
		}
		fmt.Fprintln(w)
	}
	verdict := "\nallowed: it would be sent upstream"
	if e.Refusal != nil {
		verdict = fmt.Sprintf("\nrefused: %d %s: %s", e.Refusal.Status, e.Refusal.Type, e.Refusal.Detail)
	}
	_, err := fmt.Fprintln(w, verdict)
	return err
}
