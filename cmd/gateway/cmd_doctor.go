package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"iqgateway/config"
)

func (p program) doctorCommand() *cobra.Command {
	var flags configFlags
	var environment string
	var offline bool
	output, timeout := outputFlag("table"), 30*time.Second
	cmd := &cobra.Command{
		Use:   "doctor -c FILE",
		Short: "Look at everything that a gateway will need, before a roll-out",
		Long: `Look at what a gateway with this configuration will need, from this machine and as
this user: data_dir, ports, limits, certificates, Redis (rights, eviction policy,
clock), DNS and TLS of every upstream that a caller may use, a token of each
credential, and each service's ping.

It takes the fleet's token when Redis holds one. Else it logs in, once for each
credential; a refused password counts among the three that the fleet may try in an
hour. A ping costs one token of its quota. Nothing is ordered from an ACME server.

--offline asks nothing of the network. Ctrl-C ends it with what it has found.

Exit codes: 0 nothing failed, 1 something did, 2 wrong usage, 3 invalid configuration.`,
		Example: `  gateway doctor -c gateway.yaml
  gateway doctor -c gateway.yaml --environment production --timeout 10s
  gateway doctor -c gateway.yaml --offline -o json`,
		Args: exactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := p.load(flags)
			if err != nil {
				return err
			}
			if _, known := cfg.Environment(environment); environment != "" && !known {
				return usageError{errors.New("--environment: " + unknownName("environment", environment, cfg.EnvironmentNames()))}
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			return p.diagnose(ctx, cfg, output, func(d *doctor) { d.environment, d.offline = environment, offline })
		},
	}
	flags.register(cmd)
	cmd.Flags().BoolVar(&offline, "offline", false, "ask nothing of the network")
	cmd.Flags().StringVar(&environment, "environment", "", "upstreams, tokens and pings of this environment only")
	cmd.Flags().DurationVar(&timeout, "timeout", timeout, "how long everything may take")
	cmd.Flags().VarP(&output, "output", "o", "table, json or yaml")
	return cmd
}

// doctorAnswer is what the command prints as JSON.
type doctorAnswer struct {
	Failures int       `json:"failures"`
	Warnings int       `json:"warnings"`
	Findings []finding `json:"findings"`
}

func (p program) diagnose(ctx context.Context, cfg *config.Config, output outputFlag, set func(*doctor)) error {
	told := func(finding) {}
	if isTerminal(p.stderr) {
		told = func(f finding) { fmt.Fprintf(p.stderr, "%-8s %s %s\n", f.Status, f.Check, f.Subject) }
	}
	d, err := newDoctor(ctx, cfg, told)
	if err != nil {
		return configError{err}
	}
	set(d)
	d.report(finding{Check: "configuration", Status: findingOK, Value: "valid"})
	answer := doctorAnswer{Findings: d.run(ctx)}
	sortFindings(answer.Findings)
	for _, f := range answer.Findings {
		switch f.Status {
		case findingFailure:
			answer.Failures++
		case findingWarning:
			answer.Warnings++
		case findingOK, findingSkipped:
		}
	}
	if err := output.write(p.stdout, answer, func() error { return writeFindings(p.stdout, answer) }); err != nil {
		return err
	}
	switch {
	case ctx.Err() != nil:
		return errors.New("not everything was looked at: " + whyEnded(ctx))
	case answer.Failures > 0:
		return fmt.Errorf("%d of %d findings are failures", answer.Failures, len(answer.Findings))
	}
	return nil
}

func writeFindings(w io.Writer, a doctorAnswer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range a.Findings {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", f.Status, f.Check, f.Subject, f.Value)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, f := range a.Findings {
		if f.Status != findingFailure && f.Status != findingWarning {
			continue
		}
		fmt.Fprintf(w, "\n%s: %s: %s\n", f.Status, strings.TrimSpace(f.Check+" "+f.Subject), f.Value)
		if f.Why != "" {
			fmt.Fprintln(w, "  why:     ", f.Why)
		}
		if f.Remedy != "" {
			fmt.Fprintln(w, "  way out: ", f.Remedy)
		}
	}
	return nil
}
