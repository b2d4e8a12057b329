package main

import (
	"bytes"
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
	var address string
	ready := false
	cmd := &cobra.Command{
		Use:   "healthcheck",
		Short: "Tell by the exit code whether a gateway is alive, or ready",
		Long: `Tell by the exit code whether a gateway is alive, or with --ready whether it takes
requests: 0 if so, else 1 and why. It needs no token and no shell, for containers.

It asks the admin server, or the status listener that --address names.`,
		Example: `  gateway healthcheck
  gateway healthcheck --ready --address 127.0.0.1:9091`,
		Args: exactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if address != "" {
				flags.address = address
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
	cmd.Flags().StringVar(&address, "address", "", "status listener, host:port (default the admin server)")
	cmd.Flags().BoolVar(&ready, "ready", false, "ask whether it takes requests, not only whether it is alive")
	return cmd
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
