package auth

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"iqgateway/internal/exchange"
)

// TokenEndpointOptions are the settings of [TokenEndpoint].
type TokenEndpointOptions struct {
	// AuthenticateOptions are those of the stage behind. Their Tokens are what is
	// given out; nil = the endpoint is off, and says so.
	AuthenticateOptions

	// Asks reports whether a request is a token call: it is answered here,
	// whatever it says. Required.
	Asks func(*http.Request) bool

	// Calls bounds the bodies that are waited for; nil = those of this stage alone.
	Calls *TokenCalls

	// BodyTimeout is how long the whole body of a call may take; 0 = 10 s.
	BodyTimeout time.Duration
}

// TokenRoute stands for token calls in logs and metrics.
const TokenRoute = "/v1/oauth2/token"

// TokenEndpoint returns the stage that answers a client's own token call as the
// provider's token endpoint would (RFC 6749), with a gateway token instead of a
// real one: client_id is the caller, client_secret one of its keys. It stands
// before [Authenticate], as a token call proves its caller by itself.
//
// The user and the password of grant_type=password mean nothing here and are
// not looked at. Other credentials of the call must prove the same caller. A
// refusal is a 400, which is what the provider documents where
// RFC 6749 section 5.2 would allow 401, except for client credentials in
// Authorization, where that section leaves no choice.
func TokenEndpoint(o TokenEndpointOptions) func(http.Handler) http.Handler {
	if o.Calls == nil {
		o.Calls = &TokenCalls{}
	}
	if o.BodyTimeout <= 0 {
		o.BodyTimeout = 10 * time.Second
	}
	e := &tokenEndpoint{o, o.methods(), o.headers()}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !o.Asks(r) {
				next.ServeHTTP(w, r)
				return
			}
			e.serve(w, r)
		})
	}
}

type tokenEndpoint struct {
	TokenEndpointOptions

	known      methods
	keyHeaders []string
}

func (e *tokenEndpoint) serve(w http.ResponseWriter, r *http.Request) {
	ex := exchange.From(r.Context())
	ex.SetTarget(exchange.Target{Route: TokenRoute})
	switch {
	case e.Tokens == nil:
		e.Refuse(w, r, exchange.Refuse(exchange.PathDenied,
			"iQmetrix tokens are not given to callers, and the gateway's own token endpoint is off (auth.token_endpoint.enabled). Send your key with each request instead."))
		return
	case r.Method != http.MethodPost:
		p := exchange.Refuse(exchange.MethodNotAllowed, "tokens are asked for with POST")
		p.Header = http.Header{"Allow": {http.MethodPost}}
		e.Refuse(w, r, p)
		return
	}
	call, refused, err := e.readTokenCall(w, r)
	if err != nil {
		e.Refuse(w, r, err)
		return
	}
	now := instant(e.Now, r)
	var g *grant
	if refused == nil {
		g, refused = e.judge(r, call, now)
	}
	if refused != nil {
		e.refuse(w, r, refused)
		return
	}
	ex.Caller = g.holder
	e.Uses.Note(g.holder, now)
	if g.holder.Blocked {
		e.Refuse(w, r, blocked(r, g.holder))
		return
	}
	e.answer(w, r, g, now)
}

// tokenAnswer is what the provider answers, and token_type, which RFC 6749
// section 5.1 requires and the provider leaves out.
type tokenAnswer struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"` // seconds
	RefreshToken string `json:"refresh_token"`
}

func (e *tokenEndpoint) answer(w http.ResponseWriter, r *http.Request, g *grant, now time.Time) {
	access, lifetime, err := e.Tokens.issue(g, useAccess, now)
	if err != nil {
		e.Refuse(w, r, err)
		return
	}
	refresh, _, err := e.Tokens.issue(g, useRefresh, now)
	if err != nil {
		e.Refuse(w, r, err)
		return
	}
	writeToken(w, http.StatusOK, tokenAnswer{access, "Bearer", int64(lifetime / time.Second), refresh})
}

// refuse answers as RFC 6749 section 5.2 says. The exchange gets the problem
// that another stage would have answered with, for the log.
func (e *tokenEndpoint) refuse(w http.ResponseWriter, r *http.Request, t *tokenRefusal) {
	ex := exchange.From(r.Context())
	ex.Problem = exchange.Refuse(exchange.MalformedRequest, t.Error)
	if t.reason != "" {
		ex.Problem.Type = exchange.CallerUnauthenticated
		ex.Refused = string(t.reason)
	}
	if t.status == http.StatusUnauthorized {
		w.Header()["Www-Authenticate"] = []string{basicChallenge}
	}
	if t.unread && r.ProtoMajor == 1 {
		w.Header().Set("Connection", "close")
	}
	writeToken(w, t.status, t)
}

func writeToken(w http.ResponseWriter, status int, document any) {
	body, err := json.Marshal(document)
	if err != nil { // strings and a number: it cannot fail
		panic(err)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that has left needs no answer
}
