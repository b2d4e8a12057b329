package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

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

// adminFlags are the flags of every command that asks a running gateway. The
// token is none of them: other users of the machine can read command lines.
type adminFlags struct {
	address, ca, cert, key string
}

func (f *adminFlags) register(cmd *cobra.Command) {
	flags := cmd.PersistentFlags()
	flags.StringVar(&f.address, "admin-address", "", "admin server, as host:port or https://host:port (default $"+envAdminAddress+", else "+defaultAdminAddress+")")
	flags.StringVar(&f.ca, "admin-ca", "", "file with the CA certificates (PEM) of an https admin server (default the system's)")
	flags.StringVar(&f.cert, "admin-cert", "", "file with the client certificate (PEM) that it may ask for")
	flags.StringVar(&f.key, "admin-key", "", "file with that certificate's key (PEM)")
	for _, name := range []string{"admin-ca", "admin-cert", "admin-key"} {
		_ = cmd.MarkPersistentFlagFilename(name, "pem", "crt", "key")
	}
}

// adminClient asks the admin server of one running gateway.
type adminClient struct {
	base  *url.URL
	token secret.Text
	http  *http.Client
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
	tlsConfig, err := f.tlsConfig()
	if err != nil {
		return nil, usageError{err}
	}
	return &adminClient{base: base, token: secret.New(token), http: &http.Client{
		Transport: &http.Transport{Proxy: nil, TLSClientConfig: tlsConfig, DisableKeepAlives: true},
		Timeout:   adminTimeout,
		// The token goes to the address that was named and to no other.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// getenv returns the last value that the environment has for name.
func (p program) getenv(name string) string {
	value := ""
	for _, entry := range p.environ {
		if v, ok := strings.CutPrefix(entry, name+"="); ok {
			value = v
		}
	}
	return value
}

// adminURL reads an address as an operator writes it, or as the gateway's own
// configuration has it: there an empty host and 0.0.0.0 mean every interface.
func adminURL(address string, encrypted bool) (*url.URL, error) {
	if address == "" {
		address = defaultAdminAddress
	}
	text := address
	if !strings.Contains(text, "://") {
		if _, _, err := net.SplitHostPort(text); err != nil {
			return nil, fmt.Errorf("%q: want host:port as %s, or https://host:port", address, defaultAdminAddress)
		}
		scheme := "http://"
		if encrypted {
			scheme = "https://"
		}
		text = scheme + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || strings.Trim(u.Path, "/") != "" {
		return nil, fmt.Errorf("%q: want host:port as %s, or https://host:port", address, defaultAdminAddress)
	}
	if encrypted && u.Scheme == "http" {
		return nil, fmt.Errorf("%q: certificates are given, so write https://", address)
	}
	if ip, err := netip.ParseAddr(u.Hostname()); u.Hostname() == "" || err == nil && ip.IsUnspecified() {
		u.Host = net.JoinHostPort("127.0.0.1", u.Port())
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

func (f *adminFlags) tlsConfig() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if f.ca != "" {
		pem, err := os.ReadFile(f.ca)
		if err != nil {
			return nil, fmt.Errorf("--admin-ca: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("--admin-ca: %s holds no PEM certificate", f.ca)
		}
	}
	if (f.cert == "") != (f.key == "") {
		return nil, errors.New("--admin-cert and --admin-key go together")
	}
	if f.cert != "" {
		pair, err := tls.LoadX509KeyPair(f.cert, f.key)
		if err != nil {
			return nil, fmt.Errorf("--admin-cert, --admin-key: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// get reads path into answer.
func (c *adminClient) get(ctx context.Context, path string, answer any) error {
	return c.call(ctx, http.MethodGet, path, nil, answer)
}

// post sends body as JSON to path and reads the answer.
func (c *adminClient) post(ctx context.Context, path string, body, answer any) error {
	if c.token.IsZero() {
		return fmt.Errorf("changes need the gateway's admin token: set %s to the value of its admin.token", envAdminToken)
	}
	text, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encoding the request: %w", err)
	}
	return c.call(ctx, http.MethodPost, path, text, answer)
}

func (c *adminClient) call(ctx context.Context, method, path string, body []byte, answer any) error {
	r, err := http.NewRequestWithContext(ctx, method, c.base.JoinPath(path).String(), bytes.NewReader(body))
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
