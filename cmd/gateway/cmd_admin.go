package main

import (
	"github.com/spf13/cobra"

	"iqgateway/observability"
)

func (p program) adminCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "admin",
		Short: "Describe the admin API",
		Args:  subcommandRequired,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(p.adminOpenAPICommand())
	return cmd
}

func (p program) adminOpenAPICommand() *cobra.Command {
	return &cobra.Command{
		Use:   "openapi",
		Short: "Print the OpenAPI 3.1 document of the admin API",
		Long: `Print the OpenAPI 3.1 document of the admin API of this version. A running gateway
serves its own at /api/v1/openapi.json.`,
		Example: `  gateway admin openapi > iqgateway-admin.json`,
		Args:    exactArgs(0, "no argument"),
		RunE: func(*cobra.Command, []string) error {
			document, err := observability.OpenAPI(adminAPI{}.endpoints()...)
			if err != nil {
				return err
			}
			_, err = p.stdout.Write(document)
			return err
		},
	}
}
