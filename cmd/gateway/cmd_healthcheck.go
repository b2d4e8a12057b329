package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"
)

// healthcheckTimeout is below what orchestrators give a check.
const healthcheckTimeout = 3 * time.Second

func (p program) healthcheckCommand() *cobra.Command {
	var flags adminFlags
	var from configFlags
	var address string
	ready := false
	cmd := &cobra.Command{
		Use:   "healthcheck [-c FILE | --address ADDRESS]",
		Short: "Tell by the exit code whether a gateway is alive, or ready",
		Long: `Tell by the exit code whether a gateway is alive, or with --ready whether it takes
requests: 0 if so, else 1 and why. It needs no token and no shell, for containers.

It asks what --address names, else the status listener of the configuration, or its
admin server where it has none, else IQGW_STATUS__ADDRESS, else the admin server.`,
		Example: `  gateway healthcheck
  gateway healthcheck -c gateway.yaml
  gateway healthcheck --ready --address 127.0.0.1:9091`,
		Args: exactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			asked, err := p.healthAddress(from, address)
			if err != nil {
				return err
			}
			if asked != "" {
				flags.address = asked
			}
			client, err := p.adminClient(flags)
			if err != nil {
				return err
			}
			path := "/livez"
			if ready {
				path = "/readyz"
			}
			return client.check(cmd.Context(), path)
		},
	}
	flags.register(cmd)
	from.register(cmd)
	cmd.Flags().Lookup("config").Usage = "configuration file, for the address"
	cmd.Flags().StringVar(&address, "address", "", "status listener, host:port (default that of the configuration)")
	cmd.Flags().BoolVar(&ready, "ready", false, "ask whether it takes requests, not only whether it is alive")
	return cmd
}

// healthAddress returns what is asked; empty = the admin server, wherever it is.
func (p program) healthAddress(from configFlags, address string) (string, error) {
	if address != "" || from.path == "" {
		return cmp.Or(address, p.getenv("IQGW_STATUS__ADDRESS")), nil
	}
	from.offline = true // secrets are not needed
	cfg, _, err := p.read(from)
	if err != nil {
		return "", err
	}
	if cfg.Status != nil {
		return string(cfg.Status.Address), nil
	}
	return string(cfg.Admin.Address), nil
}

// check asks a probe, without the token, which it does not need.
func (c *adminClient) check(ctx context.Context, path string) error {
	ctx, cancel := context.WithTimeout(ctx, healthcheckTimeout)
	defer cancel()
	target := c.base.JoinPath(path)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), http.NoBody)
	if err != nil {
		return fmt.Errorf("asking %s: %w", target, err)
	}
	response, err := c.http.Do(r)
	if err != nil {
		return c.unreachable(err)
	}
	defer response.Body.Close()
	var why bytes.Buffer
	if _, err := why.ReadFrom(io.LimitReader(response.Body, 1<<10)); err != nil {
		return fmt.Errorf("reading the answer of %s: %w", target, err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", target, response.Status, bytes.TrimSpace(why.Bytes()))
	}
	return nil
}
