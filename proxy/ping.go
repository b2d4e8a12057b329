package proxy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"iqgateway/internal/exchange"
)

// maxPing bounds what is read of an answer to a ping, in bytes.
const maxPing = 64 << 10

// Pong is an upstream's answer to a ping.
type Pong struct {
	Status  int
	Version string        // as the upstream names it; "" = it does not
	Took    time.Duration // waiting for a token and for quota included
	Date    time.Time     // of the answer, by the upstream's clock; zero = it tells none
}

// Ping asks for the target of ex once, as a request of the gateway's own, and
// reads what the upstream tells of itself. transport is the first of the
// outbound stages that it takes.
//
// An error says that there was no usable answer, and any status that there was.
func Ping(ctx context.Context, transport http.RoundTripper, ex *exchange.Exchange) (Pong, error) {
	began := time.Now()
	resp, err := own(exchange.With(ctx, ex), transport, ex.Target)
	if f, ok := errors.AsType[*failure](err); ok && f.OnKeptConnection() { // that tells of the past
		resp, err = own(exchange.With(ctx, ex), transport, ex.Target)
	}
	if err != nil {
		return Pong{Took: time.Since(began)}, err
	}
	defer func() { _ = resp.Body.Close() }()
	var body bytes.Buffer
	_, err = body.ReadFrom(io.LimitReader(resp.Body, maxPing+1))
	pong := Pong{Status: resp.StatusCode, Took: time.Since(began)}
	if err != nil {
		return pong, fmt.Errorf("ping: %w", err)
	}
	pong.Date, _ = http.ParseTime(resp.Header.Get("Date"))
	if body.Len() <= maxPing {
		pong.Version = versionIn(body.Bytes())
	}
	return pong, checkStatus(resp, ex)
}

// versionIn returns the version that a document names, in either spelling that
// the provider uses.
func versionIn(body []byte) string {
	const longest = 100 // of a version that is meant to be one
	var document struct {
		ApplicationVersion string // matched in any case
	}
	if json.Unmarshal(body, &document) != nil || len(document.ApplicationVersion) > longest {
		return ""
	}
	return document.ApplicationVersion
}

// own sends a GET of the gateway's own for a target.
func own(ctx context.Context, transport http.RoundTripper, t *exchange.Target) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "", nil)
	if err != nil {
		return nil, fmt.Errorf("a request of the gateway's own: %w", err)
	}
	req.URL, req.Host = upstreamURL(t), t.Upstream.Host
	req.Header = http.Header{"Accept": {"application/json"}, "User-Agent": {""}, "Via": {via}}
	return transport.RoundTrip(req)
}
