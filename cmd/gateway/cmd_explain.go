package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

func (p program) explainCommand() *cobra.Command {
	var flags configFlags
	var admin adminFlags
	var q explainQuery
	output := outputFlag("table")
	cmd := &cobra.Command{
		Use:   "explain -c FILE --as CALLER 'METHOD URL' | explain REQUEST_ID | explain TRACE_ID",
		Short: "Say what would become of a request, or what became of one, and why",
		Long: `Say what the gateway would do with a request: environment, service, upstream,
credential, quota bucket and share, cache rule, timeouts, each with where it
comes from (default, catalogue, file and line, variable), and which rules were
considered and lost. Nothing is sent; secrets are not needed.

The URL is a path (/crm/v1/…, /sandbox/crm/v1/…), the gateway's own, a native one
(https://crmdemo.iqmetrix.net/v1/…), or what a client asks of HTTP_PROXY
(http://crmdemo.iqmetrix.net/v1/…).

With a request id (X-Request-Id of an answer) it says what each stage decided
about that request. The running gateway is asked, and through Redis the replica
that served it; it remembers its newest few thousand. With a trace id (trace_id of
a problem or a log line) it shows every request of that trace, asks all replicas,
and says which of them did not answer. ` + adminHelp,
		Example: `  gateway explain -c gateway.yaml --as storefront 'GET /crm/v1/Companies(1)/Customers'
  gateway explain -c gateway.yaml --as storefront -o json 'POST https://orderdemo.iqmetrix.net/v1/…'
  gateway explain 7q3mzk4a-1tcab4uta9g6fhq2
  gateway explain 4bf92f3577b34da6a3ce929d0e0e4736`,
		Args: exactArgs(1, "one quoted 'METHOD URL', a request id, or a trace id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, is := traceOf(args[0]); is && q.caller == "" {
				return p.explainTrace(cmd, admin, output, args[0])
			}
			if _, is := replicaOf(args[0]); is && q.caller == "" {
				return p.explainRequest(cmd, admin, output, args[0])
			}
			if err := q.read(args[0]); err != nil {
				return usageError{err}
			}
			if !cmd.Flags().Changed("body") {
				q.body = q.method == "POST" || q.method == "PUT" || q.method == "PATCH"
			}
			flags.offline = true
			cfg, _, err := p.read(flags)
			if err != nil {
				return err
			}
			e, err := explain(cfg, q)
			if err != nil {
				return err
			}
			return output.write(p.stdout, e, func() error { return writeExplanation(p.stdout, e) })
		},
	}
	flags.register(cmd)
	admin.register(cmd)
	cmd.Flags().StringVar(&q.caller, "as", "", "caller that asks (required with METHOD URL)")
	cmd.Flags().StringVar(&q.credential, "credential", "", "as if it sent X-Gateway-Credential")
	cmd.Flags().StringVar(&q.priority, "priority", "", "as if it sent X-Request-Priority")
	cmd.Flags().BoolVar(&q.body, "body", false, "whether it has a body (default: a POST, PUT or PATCH has)")
	cmd.Flags().VarP(&output, "output", "o", "table, json or yaml")
	return cmd
}

// read takes 'METHOD URL' apart.
func (q *explainQuery) read(text string) error {
	method, url, ok := strings.Cut(strings.TrimSpace(text), " ")
	if !ok {
		return fmt.Errorf("%q: want 'METHOD URL', as 'GET /crm/v1/Companies(1)'", text)
	}
	if q.caller == "" {
		return errors.New("--as CALLER is missing")
	}
	q.method, q.url = method, strings.TrimSpace(url)
	return nil
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
	_, err := fmt.Fprintf(w, "\n%s\n", e.Verdict)
	return err
}
