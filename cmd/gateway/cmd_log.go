package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
)

func (p program) logCommand() *cobra.Command {
	var flags adminFlags
	cmd := &cobra.Command{
		Use:   "log",
		Short: "Show and change what a running gateway logs",
		Long: `Show and change what one running replica logs.

` + adminHelp,
		Args: subcommandRequired,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	flags.register(cmd)
	cmd.AddCommand(p.logLevelCommand(&flags))
	return cmd
}

func (p program) logLevelCommand(flags *adminFlags) *cobra.Command {
	var lasting time.Duration
	output, why := outputFlag("table"), orderWhy{}
	cmd := &cobra.Command{
		Use:   "level [debug|info|warn|error]",
		Short: "Show the level of the log, or change it for a time",
		Long: `Show the least level that a replica writes, or change it for a time, after which
the configured one (telemetry.logs.level) is back; naming that one ends the time
at once. Each replica has its own.

Access lines are of level info: with warn or error there are none.`,
		Example: `  gateway log level
  gateway log level debug --for 15m`,
		ValidArgs: []string{"debug", "info", "warn", "error"},
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usageError{fmt.Errorf("want one level at most, got %d arguments", len(args))}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := p.adminClient(*flags)
			if err != nil {
				return err
			}
			var state logLevelState
			switch {
			case len(args) == 1:
				err = setLogLevel(cmd.Context(), client, logLevelChange{args[0], lasting.String(), why}, &state)
			case cmd.Flags().Changed("for"), why.Reason != "":
				err = usageError{fmt.Errorf("--for and --reason go with a level, as gateway log level debug --for %s", lasting)}
			default:
				err = client.get(cmd.Context(), pathLogLevel, &state)
			}
			if err != nil {
				return err
			}
			return output.write(p.stdout, state, func() error { return writeLogLevel(p.stdout, state, time.Now()) })
		},
	}
	cmd.Flags().DurationVar(&lasting, "for", defaultLevelFor, "how long, as 15m; at most 24h")
	why.register(cmd)
	cmd.Flags().VarP(&output, "output", "o", "table, json or yaml")
	return cmd
}

func setLogLevel(ctx context.Context, client *adminClient, change logLevelChange, state *logLevelState) error {
	if _, _, err := change.check(); err != nil {
		return usageError{err}
	}
	return client.put(ctx, pathLogLevel, change, state)
}

func writeLogLevel(w io.Writer, s logLevelState, now time.Time) error {
	text := fmt.Sprintf("replica %s writes %s and above", printable(s.Replica), printable(s.Level))
	if !s.Until.IsZero() {
		text += fmt.Sprintf(" until %s, then %s", instant(s.Until, now), printable(s.Configured))
	}
	_, err := fmt.Fprintln(w, text)
	return err
}
