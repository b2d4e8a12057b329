package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"iqgateway/internal/secret"
)

const (
	defaultAdminAddress = "127.0.0.1:9090"
	envAdminAddress     = "IQGW_ADMIN__ADDRESS"
	envAdminToken       = "IQGW_ADMIN__TOKEN"
	// adminTimeout is longer than a change may take on the whole fleet.
	adminTimeout   = 15 * time.Second
	maxAdminAnswer = 16 << 20
)

// adminClient asks the admin server of one running gateway.
type adminClient struct {
	base  *url.URL
	token secret.Text
	// certified: a client certificate goes with every request, which may be
	// enough to change something.
	certified bool
	http      *http.Client
}

func (p program) adminClient(f adminFlags) (*adminClient, error) {
	address, source := f.address, "--admin-address"
	if address == "" {
		address, source = p.getenv(envAdminAddress), envAdminAddress
	}
	base, err := adminURL(address, f.ca != "" || f.cert != "")
	if err != nil {
		return nil, usageError{fmt.Errorf("%s: %w", source, err)}
	}
	token := p.getenv(envAdminToken)
	if strings.HasPrefix(token, "${") {
		return nil, usageError{errors.New(envAdminToken + " holds a reference, which only the gateway itself follows: set it to the token")}
	}
	if token != "" && base.Scheme == "http" && !loopback(base.Hostname()) {
		fmt.Fprintf(p.stderr, "warning: %s: the admin token goes to %s unencrypted; use https:// and admin.tls\n", source, base.Host)
	}
	tlsConfig, err := f.tlsConfig()
	if err != nil {
		return nil, usageError{err}
	}
	return &adminClient{base: base, token: secret.New(token), certified: f.cert != "", http: &http.Client{
		Transport: &http.Transport{Proxy: nil, TLSClientConfig: tlsConfig, DisableKeepAlives: true},
		Timeout:   adminTimeout,
		// The token goes to the address that was named and to no other.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// get reads path into answer.
func (c *adminClient) get(ctx context.Context, path string, answer any) error {
	return c.call(ctx, http.MethodGet, path, nil, nil, answer)
}

// find reads the part of path that the query names into answer.
func (c *adminClient) find(ctx context.Context, path string, query url.Values, answer any) error {
	return c.call(ctx, http.MethodGet, path, query, nil, answer)
}

// post sends body as JSON to path and reads the answer.
func (c *adminClient) post(ctx context.Context, path string, body, answer any) error {
	return c.change(ctx, http.MethodPost, path, body, answer)
}

// put is post for what is replaced.
func (c *adminClient) put(ctx context.Context, path string, body, answer any) error {
	return c.change(ctx, http.MethodPut, path, body, answer)
}

func (c *adminClient) change(ctx context.Context, method, path string, body, answer any) error {
	if c.token.IsZero() && !c.certified {
		return fmt.Errorf("changes need the gateway's admin token: set %s to the value of its admin.token", envAdminToken)
	}
	text, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encoding the request: %w", err)
	}
	return c.call(ctx, method, path, nil, text, answer)
}

func (c *adminClient) call(ctx context.Context, method, path string, query url.Values, body []byte, answer any) error {
	target := c.base.JoinPath(path)
	target.RawQuery = query.Encode()
	r, err := http.NewRequestWithContext(ctx, method, target.String(), bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("asking %s: %w", c.base, err)
	}
	r.Header.Set("Accept", "application/json")
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if !c.token.IsZero() {
		r.Header.Set("Authorization", "Bearer "+c.token.Reveal())
	}
	response, err := c.http.Do(r)
	if err != nil {
		return c.unreachable(err)
	}
	defer response.Body.Close()
	var text bytes.Buffer
	if _, err := text.ReadFrom(io.LimitReader(response.Body, maxAdminAnswer)); err != nil {
		return fmt.Errorf("reading the answer of %s: %w", c.base.Host, err)
	}
	if response.StatusCode != http.StatusOK {
		return c.refused(response, text.Bytes(), path)
	}
	if err := json.Unmarshal(text.Bytes(), answer); err != nil {
		return fmt.Errorf("%s answers no JSON at %s: is it the admin server of an iqgateway? (%w)", c.base.Host, path, err)
	}
	return nil
}
