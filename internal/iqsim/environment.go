package iqsim

import (
	"encoding/base64"
	"net/http"
	"strings"
	"sync"
	"time"
)

// environment is the state of one environment.
type environment struct {
	name     string
	accounts *accounts
	// services by host stem, accounts among them. The first call builds them
	// with their data: most simulations use one environment of three.
	services func() map[string]http.Handler
}

// newEnvironment builds the environment called name.
func newEnvironment(name string, o Options, switches func() Switches) *environment {
	world := worldOptions{
		Environment: name, Now: o.Now, DataConnect: o.DataConnect, LocaleRequired: o.LocaleRequired,
		CatalogItems: o.CatalogItems,
	}
	e := &environment{
		name: name,
		accounts: &accounts{
			tokens: newTokens(randomSource(o.Seed, name)), logins: newLogins(name, o.Accounts),
			now: o.Now, switches: switches, counts: TokenCalls{Errors: map[string]int{}},
		},
	}
	e.services = sync.OnceValue(func() map[string]http.Handler {
		services := retailServices(world)
		services["accounts"] = e.accounts
		services["dataconnect"] = newDataConnect(world)
		return services
	})
	return e
}

// identity is who makes a request.
type identity struct {
	token     token // serial 0: no token that was ever issued
	anonymous bool  // no credentials were presented
	valid     bool
}

// identify looks at the credentials of a request. More than one Authorization
// field is malformed, as the fields are joined to one.
func (e *environment) identify(r *http.Request, service string, lockAfter int) identity {
	fields := r.Header.Values("Authorization")
	if len(fields) == 0 && (service != "dataconnect" || r.URL.Query().Get("Auth") == "") {
		return identity{anonymous: true}
	}
	scheme, value, _ := strings.Cut(strings.Join(fields, ","), " ")
	if strings.EqualFold(scheme, "Bearer") {
		t, ok := e.accounts.tokens.valid(value, e.accounts.now())
		return identity{token: t, valid: ok}
	}
	if service != "dataconnect" {
		return identity{}
	}
	if strings.EqualFold(scheme, "Basic") {
		return e.basic(value, lockAfter)
	}
	if len(fields) == 0 {
		return e.basic(r.URL.Query().Get("Auth"), lockAfter)
	}
	return identity{}
}

// basic checks the user name and password that DataConnect accepts too.
func (e *environment) basic(value string, lockAfter int) identity {
	raw, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		return identity{}
	}
	username, password, _ := strings.Cut(string(raw), ":")
	if e.accounts.logins.login("", username, password, lockAfter) != nil {
		return identity{}
	}
	return identity{token: token{account: username, text: value, expires: time.Time{}}, valid: true}
}
