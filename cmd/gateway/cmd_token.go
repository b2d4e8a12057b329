package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"iqgateway/internal/fleet"
	"iqgateway/tokencache"
)

func (p program) tokenCommand() *cobra.Command {
	var flags adminFlags
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Show and replace upstream tokens of a running gateway",
		Long: `Show what a running gateway holds for each credential, and act on it on every
replica of the fleet. No token is ever shown.

` + adminHelp,
		Args: subcommandRequired,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	flags.register(cmd)
	cmd.AddCommand(p.tokenListCommand(&flags),
		p.tokenChangeCommand(&flags, pathTokenRetry, &cobra.Command{
			Use:   "retry CREDENTIAL",
			Short: "Ask the token endpoint again after refusals",
			Long: `Forget that the token endpoint has refused a credential, and try it again now.

The gateway stops by itself after 3 refusals an hour, because iQmetrix locks an
account after repeated failures, and after two such hours waits for a changed
secret or for this command. Correct the password or secret first.`,
			Example: `  gateway token retry retail`,
		}),
		p.tokenChangeCommand(&flags, pathTokenInvalidate, &cobra.Command{
			Use:   "invalidate CREDENTIAL",
			Short: "Drop a credential's token on every replica",
			Long: `Drop the token that every replica holds for a credential; the next request
fetches a new one. Use it when a token may have leaked, or after rights of the
account have changed.`,
			Example: `  gateway token invalidate retail`,
		}))
	return cmd
}

func (p program) tokenListCommand(flags *adminFlags) *cobra.Command {
	output := outputFlag("table")
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Show each credential's state, expiry and last error",
		Example: `  gateway token list
  gateway token list --admin-address https://gateway-admin.corp.example:9090 --admin-ca ca.pem -o json`,
		Args: exactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := p.adminClient(*flags)
			if err != nil {
				return err
			}
			var list tokenList
			if err := client.get(cmd.Context(), pathTokens, &list); err != nil {
				return err
			}
			return output.write(p.stdout, list, func() error { return writeTokens(p.stdout, list.Tokens, time.Now()) })
		},
	}
	cmd.Flags().VarP(&output, "output", "o", "table, json or yaml")
	return cmd
}

func (p program) tokenChangeCommand(flags *adminFlags, path string, cmd *cobra.Command) *cobra.Command {
	output, why := outputFlag("table"), orderWhy{}
	cmd.Args = exactArgs(1, "one CREDENTIAL (`gateway token list` shows them)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		client, err := p.adminClient(*flags)
		if err != nil {
			return err
		}
		var result fleet.Result
		if err := client.post(cmd.Context(), path, tokenChange{args[0], why}, &result); err != nil {
			return err
		}
		verb := cmd.Name()
		table := func() error {
			_, err := fmt.Fprintf(p.stdout, "%s %s: %s\n", verb, printable(args[0]), followedText(result))
			return err
		}
		if err := output.write(p.stdout, result, table); err != nil {
			return err
		}
		return notFollowed(result)
	}
	why.register(cmd)
	cmd.Flags().VarP(&output, "output", "o", "table, json or yaml")
	return cmd
}

// writeTokens prints what an operator wants to know first; -o json has all.
func writeTokens(w io.Writer, tokens []tokencache.Status, now time.Time) error {
	if len(tokens) == 0 {
		_, err := fmt.Fprintln(w, "no credentials are configured")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, "CREDENTIAL\tENVIRONMENT\tSTATE\tEXPIRES\tREFUSALS\tNEXT ATTEMPT\tLAST ERROR")
	var refused, stopped []string
	for _, s := range tokens {
		state := string(s.State)
		if s.Fetching {
			state += " (fetching)"
		}
		next := instant(s.NextAttempt, now)
		switch s.State {
		case tokencache.StateRefused:
			refused = append(refused, printable(s.Credential))
		case tokencache.StateStopped:
			stopped = append(stopped, printable(s.Credential))
			next = "waits for you"
		default:
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", printable(s.Credential), printable(s.Environment), printable(state),
			instant(s.Expires, now), s.Refusals, next, cmp.Or(printable(s.LastError), "-"))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return writeAdvice(w, refused, stopped)
}

func writeAdvice(w io.Writer, refused, stopped []string) error {
	const advice = "\nThe token endpoint refuses %s%s: correct the secret (a changed one is tried at once), or run `gateway token retry NAME`.\n"
	for _, group := range []struct {
		names []string
		state string
	}{{refused, ""}, {stopped, ", and the gateway asks no more"}} {
		if len(group.names) == 0 {
			continue
		}
		if _, err := fmt.Fprintf(w, advice, strings.Join(group.names, ", "), group.state); err != nil {
			return err
		}
	}
	return nil
}

// followedText says how far a change has come in the fleet.
func followedText(r fleet.Result) string {
	text := fmt.Sprintf("%d of %d replicas have followed", r.Followed, r.Replicas)
	if r.Replicas == 1 && r.Followed == 1 {
		text = "this replica has followed"
	}
	if len(r.Behind) > 0 {
		text += "; behind: " + printable(strings.Join(r.Behind, ", "))
	}
	if r.Reason != "" {
		text += " (" + printable(r.Reason) + ")"
	}
	return text
}

// notFollowed is the failure of a change that some replicas have not made.
func notFollowed(r fleet.Result) error {
	switch {
	case r.Followed >= r.Replicas:
		return nil
	case r.Alone:
		return fmt.Errorf("only the replica that was asked has followed, of %d: repeat it when the cause is gone, or ask each replica by its own admin server", r.Replicas)
	default:
		return fmt.Errorf("not every replica has followed yet (behind: %s); those that were cut off follow when they are back within an hour, see their logs for the others",
			printable(cmp.Or(strings.Join(r.Behind, ", "), "unknown")))
	}
}

// instant prints when something is, also as seen from now.
func instant(t, now time.Time) string {
	if t.IsZero() {
		return "-"
	}
	text := t.UTC().Format(time.RFC3339)
	if d := t.Sub(now); d >= 0 {
		return text + " (in " + span(d) + ")"
	}
	return text + " (" + span(now.Sub(t)) + " ago)"
}

// span prints a duration with its two largest units.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d >= day:
		return fmt.Sprintf("%dd%dh", d/day, d%day/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
	case d >= time.Minute:
		return fmt.Sprintf("%dm%ds", d/time.Minute, d%time.Minute/time.Second)
	default:
		return fmt.Sprintf("%ds", d/time.Second)
	}
}
