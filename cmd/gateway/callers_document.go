package main

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"iqgateway/auth"
	"iqgateway/callerlimit"
	"iqgateway/config"
)

// expiresSoon is how long before its end a credential is marked.
const expiresSoon = 14 * 24 * time.Hour

// callerDocument is what operators see of a caller. It holds no key, and no
// digest of one.
type callerDocument struct {
	Caller      string               `json:"caller"`
	Environment string               `json:"environment,omitempty"` // meant when a request names none
	Class       string               `json:"class"`
	Credentials []credentialDocument `json:"credentials"`
	Access      []accessDocument     `json:"access"`
	Limit       *limitDocument       `json:"limit,omitempty"`
}

// credentialDocument is one way in which a caller proves who it is.
type credentialDocument struct {
	Proof   string     `json:"proof"` // key, certificate or jwt
	ID      string     `json:"id"`
	Expires *time.Time `json:"expires,omitempty"`
	State   string     `json:"state"` // ok, expires soon, expired
	// LastUsed is absent for one that was never used with success, as far as is
	// known. A token of the gateway counts for the key that it was made for.
	LastUsed *time.Time `json:"last_used,omitempty"`
}

// accessDocument is what a caller may do with one upstream credential.
type accessDocument struct {
	Credential  string            `json:"credential"` // passthrough = the caller's own token
	Environment string            `json:"environment"`
	Services    map[string]string `json:"services"` // read, write, or the methods; "limited" = some paths only
	Until       *time.Time        `json:"until,omitempty"`
}

// limitDocument is a caller's own limit, and what this replica counts.
type limitDocument struct {
	Rate        string `json:"rate,omitempty"`
	Burst       int    `json:"burst,omitempty"`
	Concurrency int    `json:"concurrency,omitempty"`
	InFlight    int    `json:"in_flight"` // on this replica
	// Tokens and Slots are what this replica may use of burst and concurrency
	// right now, without asking the others.
	Tokens int `json:"tokens"`
	Slots  int `json:"slots"`
	// Shared is false while this replica goes by its own part.
	Shared bool `json:"shared"`
}

// describeCallers are the callers of a configuration, by name.
func describeCallers(cfg *config.Config, last map[auth.CredentialID]time.Time, limits []callerlimit.CallerState, now time.Time) []callerDocument {
	all := []callerDocument{}
	for _, name := range slices.Sorted(maps.Keys(cfg.Callers)) {
		c := cfg.Callers[name]
		d := callerDocument{Caller: name, Environment: c.Environment, Class: c.Class, Limit: describeLimit(name, c.RateLimit, limits), Access: []accessDocument{}}
		d.Credentials = describeCredentials(name, c, last, now)
		for _, a := range c.Access {
			d.Access = append(d.Access, describeAccess(a))
		}
		all = append(all, d)
	}
	return all
}

func describeCredentials(caller string, c config.Caller, last map[auth.CredentialID]time.Time, now time.Time) []credentialDocument {
	all := []credentialDocument{}
	for _, k := range c.Keys {
		used := last[auth.CredentialID{Caller: caller, Proof: auth.ProofKey, ID: k.ID}]
		if token := last[auth.CredentialID{Caller: caller, Proof: auth.ProofToken, ID: k.ID}]; token.After(used) {
			used = token
		}
		all = append(all, credentialDocument{Proof: auth.ProofKey, ID: k.ID, Expires: instantOrNil(k.Expires), State: lifeOf(k.Expires, now), LastUsed: instantOrNil(used)})
	}
	for _, id := range credentialIDs(caller, c) {
		if id.Proof == auth.ProofCertificate || id.Proof == auth.ProofJWT {
			all = append(all, credentialDocument{Proof: id.Proof, ID: id.ID, State: "ok", LastUsed: instantOrNil(last[id])})
		}
	}
	return all
}

// credentialIDs are the names under which uses of the caller's credentials are
// known.
func credentialIDs(caller string, c config.Caller) []auth.CredentialID {
	var ids []auth.CredentialID
	add := func(proof, id string) { ids = append(ids, auth.CredentialID{Caller: caller, Proof: proof, ID: id}) }
	for _, k := range c.Keys {
		add(auth.ProofKey, k.ID)
		add(auth.ProofToken, k.ID)
	}
	for _, n := range c.Certificates {
		add(auth.ProofCertificate, cmp.Or(n.URI, n.DNS))
	}
	for _, s := range c.Subjects {
		add(auth.ProofJWT, s.Issuer+" "+s.Subject)
	}
	return ids
}

func lifeOf(expires, now time.Time) string {
	switch {
	case expires.IsZero():
		return "ok"
	case !now.Before(expires):
		return "expired"
	case expires.Sub(now) < expiresSoon:
		return "expires soon"
	}
	return "ok"
}

func describeAccess(a config.Access) accessDocument {
	d := accessDocument{Credential: a.Credential, Environment: a.Environment, Services: map[string]string{}, Until: instantOrNil(a.Until)}
	for name, g := range a.Services {
		text := cmp.Or(g.Level, strings.Join(g.Methods, " "), "read")
		if len(g.Paths) > 0 {
			text += ", limited"
		}
		d.Services[name] = text
	}
	return d
}

func describeLimit(caller string, l config.CallerLimit, states []callerlimit.CallerState) *limitDocument {
	if l.Rate.IsZero() && l.Concurrency == 0 {
		return nil
	}
	d := &limitDocument{Burst: callerLimit(l).WithDefaults().Burst, Concurrency: l.Concurrency}
	if !l.Rate.IsZero() {
		d.Rate = l.Rate.String()
	}
	for _, s := range states {
		if s.Caller == caller {
			d.InFlight, d.Tokens, d.Slots, d.Shared = s.InFlight, s.Tokens, s.Slots, s.Shared
		}
	}
	return d
}

// lastUses returns when the credentials of the callers were last used.
func (g *gateway) lastUses(ctx context.Context, cfg *config.Config) (map[auth.CredentialID]time.Time, error) {
	var ids []auth.CredentialID
	for name, c := range cfg.Callers {
		ids = append(ids, credentialIDs(name, c)...)
	}
	return g.stores.uses.Last(ctx, ids)
}
