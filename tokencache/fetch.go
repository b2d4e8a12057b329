package tokencache

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"iqgateway/internal/exchange"
	"iqgateway/internal/secret"
)

// FetchError says why no token could be had. Its text is safe to log and to
// show to operators: nothing that the endpoint sent is in it but a status and
// an error code of RFC 6749 section 5.2.
type FetchError struct {
	// Refused means that the endpoint refused the credential itself:
	// repeating the call could lock the account.
	Refused bool
	Status  int    // of the endpoint's answer; 0 = there was none
	Code    string // invalid_grant and the like; may be empty

	text       string
	retryAfter time.Duration // that the endpoint asked for
}

// Error implements error.
func (e *FetchError) Error() string { return "token endpoint: " + e.text }

// grantedToken is what the endpoint granted.
type grantedToken struct {
	field    secret.Text // "Bearer …"
	refresh  secret.Text
	lifetime time.Duration
}

// fetchToken makes the token call of c with the given secrets: one request, or
// two when the refresh token of GrantRefreshToken has become useless.
func fetchToken(ctx context.Context, c Credential, s Secrets, refresh secret.Text) (grantedToken, error) {
	ctx = context.WithValue(ctx, oauth2.HTTPClient, client(c.Transport))
	if c.Grant == GrantRefreshToken && !refresh.IsZero() {
		got, err := exchangeRefresh(ctx, c, s, refresh)
		if fetch, ok := errors.AsType[*FetchError](err); !ok || !fetch.Refused {
			return got, err
		}
	}
	if c.Grant == GrantClientCredentials {
		return granted(clientCredentials(c, s).Token(ctx))
	}
	return granted(config(c, s).PasswordCredentialsToken(ctx, s.Username.Reveal(), s.Password.Reveal()))
}

func exchangeRefresh(ctx context.Context, c Credential, s Secrets, refresh secret.Text) (grantedToken, error) {
	held := &oauth2.Token{RefreshToken: refresh.Reveal()}
	return granted(config(c, s).TokenSource(ctx, held).Token())
}

func config(c Credential, s Secrets) *oauth2.Config {
	return &oauth2.Config{
		ClientID:     s.ClientID.Reveal(),
		ClientSecret: s.ClientSecret.Reveal(),
		// Finding the style out by trial would double every refused login.
		Endpoint: oauth2.Endpoint{TokenURL: c.TokenURL, AuthStyle: oauth2.AuthStyleInParams},
	}
}

func clientCredentials(c Credential, s Secrets) *clientcredentials.Config {
	return &clientcredentials.Config{
		ClientID:     s.ClientID.Reveal(),
		ClientSecret: s.ClientSecret.Reveal(),
		TokenURL:     c.TokenURL,
		AuthStyle:    oauth2.AuthStyleInParams,
	}
}

// client carries token calls. It never follows a redirect: a 307 would post
// the password to wherever Location points.
func client(transport http.RoundTripper) *http.Client {
	if transport == nil {
		transport = plainTransport()
	}
	return &http.Client{
		Transport:     answerGuard{attempts{transport}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// plainTransport serves one call: tokens are fetched twice a day, no idle
// connection is worth keeping. Proxy stays nil, so that HTTP_PROXY of the
// environment never sees a password.
func plainTransport() *http.Transport {
	return &http.Transport{
		DialContext:            (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSHandshakeTimeout:    5 * time.Second,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		DisableKeepAlives:      true,
		MaxResponseHeaderBytes: 64 << 10,
		ForceAttemptHTTP2:      true,
	}
}

func granted(t *oauth2.Token, err error) (grantedToken, error) {
	if err != nil {
		return grantedToken{}, fetchError(err)
	}
	seconds, ok := t.Extra("expires_in").(float64) // canonical() put it there
	if !ok || !isToken(t.AccessToken) {
		return grantedToken{}, &FetchError{text: "unusable answer"}
	}
	return grantedToken{
		field:    secret.New("Bearer " + t.AccessToken),
		refresh:  secret.New(t.RefreshToken),
		lifetime: time.Duration(seconds) * time.Second,
	}, nil
}

// fetchError keeps of err what is known to hold no secret. Texts of other
// libraries quote URLs, header lines or bytes that came over the wire.
func fetchError(err error) *FetchError {
	if refusal, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		return refusalError(refusal)
	}
	if answer, ok := errors.AsType[answerError](err); ok {
		return &FetchError{Status: http.StatusOK, text: answer.Error()}
	}
	return &FetchError{text: describe(err)}
}

func refusalError(r *oauth2.RetrieveError) *FetchError {
	e := &FetchError{Status: r.Response.StatusCode, Code: r.ErrorCode}
	e.text = "status " + strconv.Itoa(e.Status)
	if e.Code != "" {
		e.text += " " + e.Code
	}
	e.Refused = refusesCredential(e.Status, e.Code)
	e.retryAfter = askedFor(r.Response.Header, time.Now())
	return e
}

// askedFor reads a Retry-After, by the endpoint's own clock where it tells its
// time; 0 = none or nonsense.
func askedFor(h http.Header, now time.Time) time.Duration {
	after, _ := exchange.ParseRetryAfter(h.Get("Retry-After"))
	return min(after.WaitBy(h.Get("Date"), now), maxAskedFor)
}

// refusesCredential decides what counts against the account. In doubt it does:
// an attempt too few costs an hour, one too many the account. The provider
// answers mistakes of its clients with 500 (IQMETRIX.md trap 10), so that the
// error code outranks the status.
func refusesCredential(status int, code string) bool {
	switch code {
	case "invalid_grant", "invalid_client", "unauthorized_client":
		return true
	}
	switch status {
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusProxyAuthRequired, http.StatusRequestTimeout,
		http.StatusMisdirectedRequest, http.StatusTooEarly, http.StatusTooManyRequests:
		return false // about the endpoint, and about nobody's account
	}
	return status == http.StatusOK || status >= 400 && status < 500
}

func describe(err error) string {
	if errors.Is(err, context.Canceled) {
		return "the call was cancelled"
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		return "no answer in time"
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return "the name " + strconv.Quote(dns.Name) + " does not resolve"
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "its certificate is not trusted"
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return op.Error()
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "the connection ended before the answer did"
	}
	return fmt.Sprintf("no usable answer (%T)", rootOf(err))
}

func rootOf(err error) error {
	for next := errors.Unwrap(err); next != nil; next = errors.Unwrap(err) {
		err = next
	}
	return err
}
