// Package redis stands in for the one that GO-2025-3540 is about, so that nothing
// is downloaded: govulncheck looks at the version, and at what is called.
package redis

import "context"

// Client is one of a server.
type Client struct{ baseClient }

// NewClient returns one.
func NewClient() *Client { return &Client{} }

// Ping connects.
func (c *Client) Ping(ctx context.Context) error { return c.initConn(ctx) }

type baseClient struct{}

// initConn is the function that the database names.
func (*baseClient) initConn(ctx context.Context) error { return ctx.Err() }
