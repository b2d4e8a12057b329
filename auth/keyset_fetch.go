package auth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"iqgateway/internal/roots"
)

const (
	keySetTimeout = 5 * time.Second // of one fetch
	maxKeySet     = 256 << 10       // bytes
)

// fetchKeys gets the text of a key set, and how long its answer says it is
// fresh; 0 = it does not say.
type fetchKeys func(ctx context.Context) (text []byte, fresh time.Duration, err error)

// fetcher asks one address with a client of its own. The files are read each
// time: both may rotate.
func fetcher(source KeySource) fetchKeys {
	return func(ctx context.Context) ([]byte, time.Duration, error) {
		ctx, cancel := context.WithTimeout(ctx, keySetTimeout)
		defer cancel()
		req, err := source.request(ctx)
		if err != nil {
			return nil, 0, err
		}
		transport, err := source.transport()
		if err != nil {
			return nil, 0, err
		}
		defer transport.CloseIdleConnections()
		client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		resp, err := client.Do(req)
		if err != nil {
			return nil, 0, err
		}
		defer func() { _ = resp.Body.Close() }()
		return readKeySet(resp)
	}
}

func readKeySet(resp *http.Response) ([]byte, time.Duration, error) {
	if resp.StatusCode != http.StatusOK {
		return nil, 0, fmt.Errorf("answered %s", resp.Status)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxKeySet+1)) //nolint:forbidigo // bounded right here
	if err != nil {
		return nil, 0, err
	}
	if len(text) > maxKeySet {
		return nil, 0, fmt.Errorf("answered with more than %d bytes", maxKeySet)
	}
	return text, maxAge(resp.Header), nil
}

func (s KeySource) request(ctx context.Context) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	if s.TokenFile == "" {
		return req, nil
	}
	token, err := os.ReadFile(s.TokenFile)
	if err != nil {
		return nil, fmt.Errorf("token_file: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	return req, nil
}

// transport follows no proxy of the environment: what says who callers are comes
// from the address that the configuration names.
func (s KeySource) transport() (*http.Transport, error) {
	roots, err := s.roots()
	if err != nil {
		return nil, err
	}
	return &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2: true, MaxResponseHeaderBytes: 64 << 10, DisableKeepAlives: true,
	}, nil
}

// roots returns what the server's certificate must chain to; nil = the system's.
func (s KeySource) roots() (*x509.CertPool, error) {
	if s.RootsFile == "" {
		return nil, nil //nolint:nilnil // nil is what crypto/tls takes for the system's
	}
	pool, err := roots.ReadFile(s.RootsFile)
	if err != nil {
		return nil, fmt.Errorf("ca_file: %w", err)
	}
	return pool, nil
}

// maxAge reads Cache-Control (RFC 9111 section 5.2.2.1); 0 = it does not say.
func maxAge(h http.Header) time.Duration {
	for _, field := range h.Values("Cache-Control") {
		for directive := range strings.SplitSeq(field, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
			seconds, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31)
			if strings.EqualFold(name, "max-age") && err == nil {
				return time.Duration(seconds) * time.Second
			}
		}
	}
	return 0
}
