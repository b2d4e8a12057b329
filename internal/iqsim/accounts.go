package iqsim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// accounts is the authentication service of one environment.
type accounts struct {
	tokens   *tokens
	logins   *logins
	now      func() time.Time
	switches func() Switches

	mu     sync.Mutex
	counts TokenCalls
}

// TokenCalls is what a token endpoint did.
type TokenCalls struct {
	// Calls of the endpoint, whatever came of them.
	Calls int `json:"calls"`
	// Password and Refresh are the tokens issued by grant.
	Password int `json:"password"`
	Refresh  int `json:"refresh"`
	// Errors by OAuth error code.
	Errors map[string]int `json:"errors"`
	// Live tokens at the moment.
	Live int `json:"live"`
}

// grantAnswer is the answer to a good grant: it has no token_type and no
// scope, though RFC 6749 requires the former.
type grantAnswer struct {
	AccessToken  string `json:"access_token"`
	ExpiresIn    int    `json:"expires_in"`
	RefreshToken string `json:"refresh_token"`
}

// ServeHTTP answers the token endpoint, in every spelling that clients use,
// and the logout.
func (a *accounts) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch strings.TrimSuffix(strings.ToLower(r.URL.Path), "/") {
	case "/v1/oauth2/token", "/token":
		a.token(w, r)
	case "/logout":
		text := r.URL.Query().Get("access_token")
		a.tokens.revoke(func(t token) bool { return t.text == text })
		w.WriteHeader(http.StatusOK)
	default:
		messageAnswer(w, http.StatusNotFound, "Resource cannot be found")
	}
}

func (a *accounts) token(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		messageAnswer(w, http.StatusMethodNotAllowed, "The requested resource does not support http method '"+r.Method+"'.")
		return
	}
	form, err := grantForm(r)
	if err != nil {
		messageAnswer(w, http.StatusBadRequest, "The request body cannot be read")
		return
	}
	answer, err := a.grant(form)
	if err == nil {
		engineJSON(w, http.StatusOK, answer)
		return
	}
	var refusal *grantError
	if !errors.As(err, &refusal) {
		refusal = &grantError{"invalid_request", err.Error()}
	}
	engineJSON(w, http.StatusBadRequest, map[string]string{"error": refusal.code, "error_description": refusal.description})
}

// maxForm bounds the body of a token request, in bytes.
const maxForm = 64 << 10

// grantForm returns the form in the body; parameters in the URL do not count,
// and neither does a body that is not labelled as a form.
func grantForm(r *http.Request) (url.Values, error) {
	if mediaType(r.Header.Get("Content-Type")) != "application/x-www-form-urlencoded" {
		return url.Values{}, nil
	}
	var body strings.Builder
	if _, err := io.Copy(&body, io.LimitReader(r.Body, maxForm)); err != nil {
		return nil, fmt.Errorf("read form: %w", err)
	}
	return url.ParseQuery(body.String())
}

// grant decides about one token request and counts it.
func (a *accounts) grant(form url.Values) (grantAnswer, error) {
	answer, err := a.tryGrant(form)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.counts.Calls++
	var refusal *grantError
	switch {
	case errors.As(err, &refusal):
		a.counts.Errors[refusal.code]++
	case form.Get("grant_type") == "password":
		a.counts.Password++
	default:
		a.counts.Refresh++
	}
	return answer, err
}

func (a *accounts) tryGrant(form url.Values) (grantAnswer, error) {
	kind, clientID := form.Get("grant_type"), form.Get("client_id")
	if kind != "password" && kind != "refresh_token" {
		return grantAnswer{}, &grantError{"unsupported_grant_type", "authorization grant type '" + kind + "' is not supported"}
	}
	if err := a.logins.client(clientID, form.Get("client_secret")); err != nil {
		return grantAnswer{}, err
	}
	username := form.Get("username")
	s := a.switches()
	if kind == "password" {
		if err := a.logins.login(clientID, username, form.Get("password"), s.LockAfter); err != nil {
			return grantAnswer{}, err
		}
	} else {
		var ok bool
		if username, ok = a.tokens.exchange(form.Get("refresh_token"), clientID, a.now()); !ok {
			return grantAnswer{}, &grantError{"invalid_grant", "the refresh token is invalid"}
		}
		if a.logins.isLocked(username) {
			return grantAnswer{}, &grantError{"invalid_grant", "the user account is locked"}
		}
	}
	t := a.tokens.issue(username, clientID, a.now(), time.Duration(s.TokenLifetime))
	return grantAnswer{t.text, expiresIn(s), t.refresh}, nil
}

// expiresIn is what the endpoint says: a second is lost on the way, so that 12
// hours are 43199.
func expiresIn(s Switches) int {
	if s.ExpiresIn != 0 {
		return s.ExpiresIn
	}
	return max(1, int(time.Duration(s.TokenLifetime)/time.Second)-1)
}

// calls returns the counts so far.
func (a *accounts) calls() TokenCalls {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.counts
	c.Errors = maps.Clone(a.counts.Errors)
	c.Live = a.tokens.live(a.now())
	return c
}

// messageAnswer writes the error document of the provider's services.
func messageAnswer(w http.ResponseWriter, status int, message string) {
	engineJSON(w, status, map[string]string{"Message": message})
}

// engineJSON writes v as the whole answer.
func engineJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client left: nobody to tell
}
