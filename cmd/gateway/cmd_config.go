package main

import (
	"github.com/spf13/cobra"

	"iqgateway/config"
)

func (p program) configCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Show, explain, compare and reload the configuration",
		Args:  subcommandRequired,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(p.configPrintCommand(), p.configSchemaCommand(), p.configExplainCommand(), p.configReloadCommand(), p.configDiffCommand())
	return cmd
}

func (p program) configPrintCommand() *cobra.Command {
	var flags configFlags
	var sources bool
	cmd := &cobra.Command{
		Use:   "print -c FILE",
		Short: "Print the merged configuration, secrets redacted",
		Example: `  gateway config print -c gateway.yaml
  gateway config print -c gateway.yaml --sources   # each value with where it comes from`,
		Args: exactArgs(0, "no argument"),
		RunE: func(*cobra.Command, []string) error {
			cfg, _, err := p.read(flags)
			if err != nil {
				return err
			}
			return cfg.Print(p.stdout, config.PrintOptions{Sources: sources})
		},
	}
	flags.register(cmd)
	cmd.Flags().BoolVar(&sources, "sources", false, "add where each value comes from as a comment")
	cmd.Flags().BoolVar(&flags.offline, "offline", false, "do not look for files and variables that the configuration names")
	return cmd
}

func (p program) configSchemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the configuration, for editors",
		Example: `  gateway config schema > gateway.schema.json
  # then, first line of your file:  # yaml-language-server: $schema=gateway.schema.json`,
		Args: exactArgs(0, "no argument"),
		RunE: func(*cobra.Command, []string) error {
			schema, err := config.Schema()
			if err != nil {
				return err
			}
			_, err = p.stdout.Write(schema)
			return err
		},
	}
}
