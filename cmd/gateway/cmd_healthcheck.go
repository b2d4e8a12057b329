package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// healthTimeout is shorter than what containers' health checks are given.
const healthTimeout = 3 * time.Second

func (p program) healthcheckCommand() *cobra.Command {
	var flags configFlags
	var address string
	ready := false
	cmd := &cobra.Command{
		Use:   "healthcheck [-c FILE | --address ADDRESS]",
		Short: "Say by the exit code whether the gateway of this container is alive",
		Long: `Ask the gateway of this machine whether it is alive, with --ready whether it is
ready: exit 0 or 1. It needs neither a shell nor curl.

It asks --address, else the status listener of the configuration, else its admin
listener, else IQGW_STATUS__ADDRESS, else IQGW_ADMIN__ADDRESS, else 127.0.0.1:9090.
Answers carry no secret: a certificate there is not verified.`,
		Example: `  gateway healthcheck --address 127.0.0.1:9091
  gateway healthcheck -c gateway.yaml --ready`,
		Args: exactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			at, err := p.healthAddress(flags, address)
			if err != nil {
				return err
			}
			path := "/livez"
			if ready {
				path = "/readyz"
			}
			return askHealth(cmd.Context(), at, path)
		},
	}
	flags.register(cmd)
	cmd.Flags().Lookup("config").Usage = "configuration file, for the address"
	cmd.Flags().StringVar(&address, "address", "", "status or admin listener, as host:port or https://host:port")
	cmd.Flags().BoolVar(&ready, "ready", false, "ask whether it is ready, in place of alive")
	return cmd
}

// healthAddress returns the URL of the listener that is asked.
func (p program) healthAddress(flags configFlags, address string) (string, error) {
	encrypted := false
	switch {
	case address != "":
	case flags.path != "":
		flags.offline = true // secrets are not needed
		cfg, _, err := p.read(flags)
		if err != nil {
			return "", err
		}
		address, encrypted = string(cfg.Admin.Address), cfg.Admin.TLS.CertFile != ""
		if cfg.Status != nil {
			address, encrypted = string(cfg.Status.Address), false
		}
	default:
		if address = p.getenv("IQGW_STATUS__ADDRESS"); address == "" {
			address = p.getenv(envAdminAddress)
		}
	}
	base, err := adminURL(address, encrypted)
	if err != nil {
		return "", usageError{fmt.Errorf("--address: %w", err)}
	}
	return base.String(), nil
}

func askHealth(ctx context.Context, at, path string) error {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at+path, nil)
	if err != nil {
		return err
	}
	transport := &http.Transport{
		Proxy: nil, DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true}, //nolint:gosec // it says well or not, and is told no secret
	}
	response, err := transport.RoundTrip(r)
	if err != nil {
		return fmt.Errorf("no gateway answers at %s: %w", at, err)
	}
	defer func() { _ = response.Body.Close() }()
	text, _ := io.ReadAll(io.LimitReader(response.Body, 4<<10))
	if response.StatusCode != http.StatusOK {
		return errors.New(at + path + ": " + response.Status + ": " + strings.TrimSpace(string(text)))
	}
	return nil
}
