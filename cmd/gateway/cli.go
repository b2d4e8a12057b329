package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// Exit codes.
const (
	exitOK = iota
	exitFailure
	exitUsage
	exitConfig // the configuration is invalid
)

// usageError is a wrong command line.
type usageError struct{ err error }

// Error implements error.
func (e usageError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e usageError) Unwrap() error { return e.err }

// configError is a configuration that cannot be used; its text has a line for
// each reason already.
type configError struct{ err error }

// Error implements error.
func (e configError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e configError) Unwrap() error { return e.err }

// run executes one command line and returns the exit code.
func (p program) run(ctx context.Context, args []string) int {
	root := p.rootCommand()
	root.SetArgs(args)
	root.SetIn(p.stdin)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	var usage usageError
	var invalid configError
	switch {
	case errors.As(err, &usage):
		fmt.Fprintf(p.stderr, "gateway: %v\nTry '%s --help'.\n", err, cmd.CommandPath())
		return exitUsage
	case errors.As(err, &invalid):
		fmt.Fprintln(p.stderr, strings.TrimRight(err.Error(), "\n"))
		return exitConfig
	default:
		fmt.Fprintf(p.stderr, "gateway: %v\n", err)
		return exitFailure
	}
}

func (p program) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "gateway",
		Short: "Egress gateway for the iQmetrix APIs",
		Long: `gateway stands between your applications and the iQmetrix APIs: it knows each
caller by its own key, adds the shared OAuth2 token, and shows what it decides.

  gateway demo                                 try it: no file, no account, no network
  gateway key new --caller storefront          make a key for an application
  gateway validate -c gateway.yaml             check a configuration
  gateway doctor -c gateway.yaml               look at everything around it, before a roll-out
  gateway explain -c gateway.yaml --as storefront 'GET /crm/v1/Companies(1)/Customers'
  gateway run -c gateway.yaml                  serve

Exit codes: 0 ok, 1 failure, 2 wrong usage, 3 invalid configuration.`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          subcommandRequired,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(p.runCommand(), p.demoCommand(), p.validateCommand(), p.doctorCommand(), p.configCommand(), p.explainCommand(),
		p.keyCommand(), p.caCommand(), p.tokenCommand(), p.quotaCommand(), p.breakerCommand(), p.cacheCommand(), p.overrideCommand(), p.usageCommand(), p.logCommand(), p.statusCommand(),
		p.adminCommand(), p.healthcheckCommand(), p.versionCommand())
	return root
}

// subcommandRequired is the argument rule of commands that only group others.
func subcommandRequired(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	cmd.SuggestionsMinimumDistance = 2 // typos of two letters
	message := fmt.Sprintf("unknown command %q", args[0])
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		message += ", did you mean " + strings.Join(near, " or ") + "?"
	}
	return usageError{errors.New(message)}
}

// exactArgs is cobra's rule as a usage error.
func exactArgs(n int, what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != n {
			return usageError{fmt.Errorf("want %s, got %d arguments", what, len(args))}
		}
		return nil
	}
}
