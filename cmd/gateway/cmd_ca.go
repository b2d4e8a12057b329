package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"iqgateway/certs"
	"iqgateway/config"
)

func (p program) caCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ca",
		Short: "The gateway's own certificate authority",
		Args:  subcommandRequired,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(p.caExportCommand())
	return cmd
}

func (p program) caExportCommand() *cobra.Command {
	var flags configFlags
	var out string
	cmd := &cobra.Command{
		Use:   "export -c FILE [--out FILE]",
		Short: "Print the certificate that clients have to trust",
		Long: `Print the certificate of the authority that server.tls.mode self_signed keeps in
data_dir. Clients trust it and then verify the gateway as any other server; the
authority's key stays where it is.`,
		Example: `  gateway ca export -c gateway.yaml --out gateway-ca.crt
  curl --cacert gateway-ca.crt https://localhost:8443/-/me`,
		Args: exactArgs(0, "no argument"),
		RunE: func(*cobra.Command, []string) error {
			flags.offline = true // neither secrets nor keys are looked at
			cfg, _, err := p.read(flags)
			if err != nil {
				return err
			}
			text, err := exportCA(cfg)
			if err != nil {
				return err
			}
			if out == "" {
				_, err = p.stdout.Write(text)
				return err
			}
			return os.WriteFile(out, text, 0o644)
		},
	}
	flags.register(cmd)
	cmd.Flags().StringVar(&out, "out", "", "file to write, instead of standard output")
	return cmd
}

// exportCA returns the certificate of the authority of our own.
func exportCA(cfg *config.Config) ([]byte, error) {
	if mode := cfg.Server.TLS.Mode; mode != tlsSelfSigned {
		return nil, fmt.Errorf("%s: server.tls.mode is %s, which has no authority of its own: clients trust the CA that issued the certificate", cfg.Source("server.tls.mode"), mode)
	}
	if cfg.DataDir == "" {
		return nil, errors.New("data_dir is not set, so the authority lasts no longer than the process and cannot be exported: set data_dir and start the gateway once")
	}
	text, err := certs.LocalCA(localCADir(cfg))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no authority in %s yet: start the gateway once, which makes it", localCADir(cfg))
	}
	return text, err
}
