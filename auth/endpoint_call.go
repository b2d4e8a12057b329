package auth

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"iqgateway/internal/exchange"
)

// maxTokenCall bounds the body of a token call, in bytes.
const maxTokenCall = 16 << 10

// The grants of a token call.
const (
	grantPassword          = "password"
	grantClientCredentials = "client_credentials"
	grantRefreshToken      = "refresh_token"
)

// tokenCall is what a token call says.
type tokenCall struct {
	grant   string
	client  string
	secret  string
	refresh string
	basic   bool // the client's credentials came in Authorization
}

// tokenRefusal is an error answer (RFC 6749 section 5.2).
type tokenRefusal struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`

	status int
	reason Reason // why the client was not believed; "" = that was not the question
	unread bool   // the body was not read to its end
}

func refusedCall(code, description string) *tokenRefusal {
	return &tokenRefusal{Error: code, Description: description, status: http.StatusBadRequest}
}

// noGrant is how the provider answers whatever is not a form with a grant type
// in it.
func noGrant(grant string) *tokenRefusal {
	return refusedCall("unsupported_grant_type", fmt.Sprintf(
		"authorization grant type '%s' is not supported: send password, client_credentials or refresh_token in a body of type application/x-www-form-urlencoded", grantText(grant)))
}

// readTokenCall reads a token call. The error is that of reading its body.
func (e *tokenEndpoint) readTokenCall(w http.ResponseWriter, r *http.Request) (tokenCall, *tokenRefusal, error) {
	if !isForm(r.Header.Get("Content-Type")) || r.Body == nil {
		refused := noGrant("")
		refused.unread = true
		return tokenCall{}, refused, nil
	}
	if r.ContentLength > maxTokenCall {
		return tokenCall{}, tooLong(), nil
	}
	body, err := e.readTokenBody(w, r)
	if err != nil {
		return tokenCall{}, nil, err
	}
	if len(body) > maxTokenCall {
		return tokenCall{}, tooLong(), nil
	}
	call, refused := readTokenForm(body)
	if refused == nil {
		refused = call.readBasic(r.Header["Authorization"])
	}
	return call, refused, nil
}

func tooLong() *tokenRefusal {
	refused := refusedCall("invalid_request", fmt.Sprintf("the body is longer than %d bytes", maxTokenCall))
	refused.status, refused.unread = http.StatusRequestEntityTooLarge, true
	return refused
}

// readTokenBody waits for a body of nobody known, which may come byte by byte:
// not for long, whatever pauses other bodies may make.
func (e *tokenEndpoint) readTokenBody(w http.ResponseWriter, r *http.Request) (string, error) {
	control, deadline := http.NewResponseController(w), time.Now().Add(e.BodyTimeout)
	_ = control.SetReadDeadline(deadline) // every server has it
	call := e.Calls.enter(func() { _ = control.SetReadDeadline(time.Now()) })
	var body bytes.Buffer
	_, err := body.ReadFrom(io.LimitReader(r.Body, maxTokenCall+1))
	ended := e.Calls.leave(call)
	switch {
	case err == nil:
		_ = control.SetReadDeadline(time.Time{})
		return body.String(), nil
	case ended:
		p := exchange.Refuse(exchange.GatewayOverloaded, "Too many token calls are under way whose body is not here yet; this one has waited for the longest.").Because(err)
		p.RetryAfter, p.Close = time.Second, true
		return "", p
	case !time.Now().Before(deadline):
		p := exchange.Refuse(exchange.RequestTimeout, fmt.Sprintf("The body of a token call must be here within %s.", e.BodyTimeout)).Because(err)
		p.Close = true
		return "", p
	}
	return "", fmt.Errorf("reading the token call: %w", err)
}

// isForm reports whether a body of this type is a form.
func isForm(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && kind == "application/x-www-form-urlencoded"
}

func readTokenForm(body string) (tokenCall, *tokenRefusal) {
	form, err := url.ParseQuery(body)
	if err != nil {
		return tokenCall{}, refusedCall("invalid_request", "the body is no well-formed form")
	}
	for _, values := range form {
		if len(values) > 1 { // RFC 6749 section 3.2
			return tokenCall{}, refusedCall("invalid_request", "a parameter is given more than once")
		}
	}
	return tokenCall{
		grant: form.Get("grant_type"), client: form.Get("client_id"), secret: form.Get("client_secret"), refresh: form.Get("refresh_token"),
	}, nil
}

// readBasic takes the client's credentials from Authorization, if they are
// there. Other schemes are not about this call.
func (c *tokenCall) readBasic(fields []string) *tokenRefusal {
	if len(fields) == 0 || !strings.EqualFold(firstWord(fields[0]), "Basic") {
		return nil
	}
	p, ok := parseAuthorization(fields[0])
	switch {
	case !ok || len(fields) > 1:
		return refusedCall("invalid_request", "the client credentials in Authorization cannot be read")
	case c.secret != "" || c.client != "" && c.client != p.caller && c.client != formText(p.caller): // RFC 6749 section 2.3
		return refusedCall("invalid_request", "the client credentials are given twice: in Authorization and in the body")
	}
	c.client, c.secret, c.basic = p.caller, p.key, true
	return nil
}

func firstWord(field string) string {
	word, _, _ := strings.Cut(field, " ")
	return word
}

// formText undoes the encoding that RFC 6749 section 2.3.1 asks for. What was
// not encoded is itself.
func formText(text string) string {
	if decoded, err := url.QueryUnescape(text); err == nil {
		return decoded
	}
	return text
}

// grantText repeats a grant type, as the provider does, unless it looks like
// something else that stands in the wrong place.
func grantText(grant string) string {
	const longest = 32
	if len(grant) > longest || strings.Trim(grant, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return "…"
	}
	return grant
}

// judge decides whether the call gets tokens, and for which key.
func (e *tokenEndpoint) judge(r *http.Request, c tokenCall, now time.Time) (*grant, *tokenRefusal) {
	switch c.grant {
	case grantPassword, grantClientCredentials, grantRefreshToken:
	default:
		return nil, noGrant(c.grant)
	}
	g, reason := e.Tokens.client(r, c, now)
	if reason != "" {
		if e.Tokens.names[c.client] { // anything else may be a secret in the wrong place
			claim(r.Context(), c.client)
		}
		return nil, invalidClient(reason, c.basic)
	}
	if reason := e.others(r, c, g, now); reason != "" {
		return nil, invalidClient(reason, c.basic)
	}
	if c.grant != grantRefreshToken {
		return g, nil
	}
	if from, reason := e.Tokens.check(c.refresh, useRefresh, now); reason != "" || from != g {
		return nil, refusedCall("invalid_grant",
			"the refresh token has expired, is not known, or was given for another client_id or client_secret: ask for a token with grant_type=password")
	}
	return g, nil
}

// others judges the credentials of a call beside those of its client: they must
// prove the same caller, as those of any request. A Bearer text that proves nobody
// is the token that is being replaced, which clients send along with every request.
func (e *tokenEndpoint) others(r *http.Request, c tokenCall, g *grant, now time.Time) Reason {
	all, ok := credentials(nil, r, e.keyHeaders, exchange.From(r.Context()).Form == exchange.FormAbsolute)
	if !ok {
		return ReasonMalformed
	}
	for _, p := range all {
		if c.basic && p.place == placeAuthorization {
			continue
		}
		found, reason := e.known.find(r.Context(), p, now)
		switch {
		case reason != "" && p.bearer:
		case reason != "" || found.Name != g.id.caller:
			return ReasonDisagree
		}
	}
	return ""
}

// client finds the key that a client shows.
func (t *GatewayTokens) client(r *http.Request, c tokenCall, now time.Time) (*grant, Reason) {
	if c.client == "" || c.secret == "" {
		return nil, ReasonNone
	}
	caller, reason := t.keys.find(r.Context(), presented{caller: c.client, key: c.secret}, now)
	if c.basic && reason == ReasonUnknown { // encoded perhaps, as RFC 6749 section 2.3.1 asks and many clients do not
		caller, reason = t.keys.find(r.Context(), presented{caller: formText(c.client), key: formText(c.secret)}, now)
	}
	if reason != "" {
		return nil, reason
	}
	g := t.grants[grantID{caller.Name, caller.KeyID}]
	if g == nil {
		return nil, ReasonUnknown
	}
	return g, ""
}

func invalidClient(reason Reason, basic bool) *tokenRefusal {
	text := "client_id is no caller of this gateway, or client_secret is none of its keys; client ids and secrets of iQmetrix are not known here"
	switch reason {
	case ReasonNone:
		text = "client_id (the caller) and client_secret (its key) are needed"
	case ReasonExpired:
		text = "the key has expired: ask the platform team for a new one"
	case ReasonDisagree, ReasonMalformed:
		text = "the call carries another credential, in a key header, in Authorization or by its connection, that does not prove the same caller: leave it away"
	default:
	}
	refused := refusedCall("invalid_client", text)
	refused.reason = reason
	if basic {
		refused.status = http.StatusUnauthorized
	}
	return refused
}
