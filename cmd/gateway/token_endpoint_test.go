package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"iqgateway/auth"
	"iqgateway/internal/iqsim/simtest"
)

const tokenEndpointConfig = `auth:
  token_endpoint: {enabled: true, signing_key: MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=}
`

// tokenPair is what a client gets from a token endpoint.
type tokenPair struct {
	Access  string `json:"access_token"`
	Type    string `json:"token_type"`
	Expires int    `json:"expires_in"`
	Refresh string `json:"refresh_token"`
	Error   string `json:"error"`
}

func clientForm(grant, client, secret string, more ...string) string {
	form := url.Values{"grant_type": {grant}, "client_id": {client}, "client_secret": {secret}}
	for i := 0; i < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	return form.Encode()
}

// asClient is a client that knows nothing but its token call.
func asClient(q *http.Request) {
	q.Header.Del("X-Api-Key")
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
}

// bearing is a client that sends a token and nothing else.
func bearing(token string) func(*http.Request) {
	return func(q *http.Request) {
		q.Header.Del("X-Api-Key")
		q.Header.Set("Authorization", "Bearer "+token)
	}
}

func (a answer) tokens(t testing.TB) tokenPair {
	t.Helper()
	var p tokenPair
	if err := json.Unmarshal([]byte(a.text), &p); err != nil {
		t.Fatalf("%s: %v in %s", a.Status, err, a.text)
	}
	return p
}

// An existing client goes on as before: a token call with its user's password,
// API calls with the token, a refresh.
func TestTokenEndpoint(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{extra: tokenEndpointConfig})
	ask := func(path, form string, status int) tokenPair {
		t.Helper()
		return r.do(t, http.MethodPost, path, form, asClient).want(t, status).tokens(t)
	}
	var last tokenPair
	for _, path := range []string{
		"/v1/oauth2/token", "/v1/oauth2/token/", "/oauth2/token", "/accounts/v1/oauth2/token", "/accounts/Token", "/accounts/token/",
		"/sim/accounts/V1/OAuth2/Token", "/authentication/v1/oauth2/token",
	} {
		last = ask(path, clientForm("password", "storefront", r.key, "username", "u", "password", "p"), http.StatusOK)
		if last.Type != "Bearer" || last.Expires != 3600 || last.Refresh == "" {
			t.Errorf("%s: %+v", path, last)
		}
		r.do(t, http.MethodGet, customers, "", bearing(last.Access)).want(t, http.StatusOK)
	}
	refreshed := ask("/v1/oauth2/token", clientForm("refresh_token", "storefront", r.key, "refresh_token", last.Refresh), http.StatusOK)
	r.do(t, http.MethodGet, customers, "", bearing(refreshed.Access)).want(t, http.StatusOK)
	for what, edit := range map[string]func(*http.Request){
		"a refresh token":      bearing(last.Refresh),
		"a token as a key":     func(q *http.Request) { q.Header.Set("X-Api-Key", last.Access) },
		"a changed token":      bearing(last.Access[:len(last.Access)-4] + "AAAA"),
		"a token in the query": func(q *http.Request) { q.Header.Del("X-Api-Key"); q.URL.RawQuery = "access_token=" + last.Access },
	} {
		if a := r.do(t, http.MethodGet, customers, "", edit); a.StatusCode != http.StatusUnauthorized && a.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s", what, a.Status)
		}
	}
	if got := ask("/v1/oauth2/token", clientForm("password", "storefront", "wrong"), http.StatusBadRequest); got.Error != "invalid_client" {
		t.Errorf("a wrong key: %+v", got)
	}
	r.do(t, http.MethodGet, "/v1/oauth2/token", "", asClient).want(t, http.StatusMethodNotAllowed)
	r.do(t, http.MethodGet, "/accounts/logout", "").want(t, http.StatusForbidden)
	if n := r.passwordCalls(); n != 1 {
		t.Errorf("%d token calls reached the upstream, want the gateway's own", n)
	}
	r.wantNowhere(t, last.Access, last.Refresh, refreshed.Access, r.key)
}

// wantNowhere fails when a secret shows in the log or in the metrics.
func (r *rig) wantNowhere(t testing.TB, secrets ...string) {
	t.Helper()
	shown := r.logs.String() + r.get(t, "http://"+r.Admin+"/metrics").text + r.get(t, "http://"+r.Admin+"/readyz?verbose").text
	for _, secret := range secrets {
		if leak := simtest.Leak(shown, secret); leak != "" {
			t.Errorf("a secret (%.12s…) shows in %.300s", secret, leak)
		}
	}
}

// While it is off, token calls are refused with the way out, whoever makes them.
func TestTokenEndpointOff(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	for _, path := range []string{"/v1/oauth2/token", "/accounts/v1/oauth2/token"} {
		for _, edit := range []func(*http.Request){asClient, func(*http.Request) {}} {
			a := r.do(t, http.MethodPost, path, clientForm("password", "storefront", r.key), edit).want(t, http.StatusForbidden)
			if !strings.Contains(a.text, "auth.token_endpoint.enabled") {
				t.Errorf("%s: %s", path, a.text)
			}
		}
	}
	if n := r.passwordCalls(); n != 0 {
		t.Errorf("%d token calls reached the upstream", n)
	}
}

// A key that is revoked ends its tokens with the reload, those that were used a
// moment ago and on open connections too.
func TestRevokedKeyEndsItsTokens(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{extra: tokenEndpointConfig, flags: adminTokenFlags()})
	old := r.do(t, http.MethodPost, "/v1/oauth2/token", clientForm("password", "storefront", r.key), asClient).want(t, http.StatusOK).tokens(t)
	r.do(t, http.MethodGet, catalogItems, "", bearing(old.Access)).want(t, http.StatusOK)

	key, digest := auth.NewKey()
	r.rewrite(t, digestOf(r.key), digest) // under the same id
	r.reload(t)
	r.do(t, http.MethodGet, catalogItems, "", bearing(old.Access)).want(t, http.StatusUnauthorized)
	refused := r.do(t, http.MethodPost, "/v1/oauth2/token", clientForm("refresh_token", "storefront", key, "refresh_token", old.Refresh), asClient)
	if got := refused.want(t, http.StatusBadRequest).tokens(t).Error; got != "invalid_grant" {
		t.Errorf("the old refresh token: %s", got)
	}
	fresh := r.do(t, http.MethodPost, "/v1/oauth2/token", clientForm("password", "storefront", key), asClient).want(t, http.StatusOK).tokens(t)
	r.do(t, http.MethodGet, catalogItems, "", bearing(fresh.Access)).want(t, http.StatusOK)
}

// Nobody holds a connection through a token call: its body is here soon, or the
// answer comes without it.
func TestTokenCallBodyOfNobody(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{extra: tokenEndpointConfig})
	for _, http2 := range []bool{false, true} {
		for name, c := range map[string]struct {
			length int64
			status int
		}{
			"without a length": {-1, http.StatusRequestTimeout},
			"short":            {1000, http.StatusRequestTimeout},
			"too long":         {17 << 10, http.StatusRequestEntityTooLarge},
		} {
			t.Run(fmt.Sprintf("HTTP/2 %t, %s", http2, name), func(t *testing.T) {
				t.Parallel()
				client := r.speaking(t, http2).client
				body, drip := io.Pipe()
				defer dribble(drip)()
				defer func() { _ = drip.Close() }()
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+r.Server+"/v1/oauth2/token", body)
				if err != nil {
					t.Fatal(err)
				}
				req.ContentLength = c.length
				req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				start := time.Now()
				resp, err := client.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				if resp.StatusCode != c.status || resp.Close == http2 {
					t.Errorf("%s, close: %t", resp.Status, resp.Close)
				}
				if took := time.Since(start); took > 25*time.Second { // body_idle_timeout is 30 s
					t.Errorf("after %s", took)
				}
			})
		}
	}
}
