package main

import (
	"slices"
	"time"

	"iqgateway/auth"
	"iqgateway/breaker"
	"iqgateway/callerlimit"
	"iqgateway/config"
	"iqgateway/internal/exchange"
	"iqgateway/limiter"
)

// meDocument is the answer to GET /-/me; docs/calling.md describes each member.
// Members come, none changes its meaning.
type meDocument struct {
	Caller string `json:"caller"`
	Proof  string `json:"proof"`
	KeyID  string `json:"key_id,omitempty"`
	// Expires is when the key is worth nothing any more.
	Expires      *time.Time  `json:"expires,omitempty"`
	Environment  string      `json:"environment,omitempty"` // meant where a path names none
	Environments []string    `json:"environments"`
	Class        string      `json:"class"`
	Classes      []string    `json:"classes"` // that it may ask for, its own among them
	Limits       *meLimits   `json:"limits,omitempty"`
	Access       []meAccess  `json:"access"`
	Services     []meService `json:"services"`
}

// meLimits are the caller's own, before any quota.
type meLimits struct {
	Rate        string `json:"rate,omitempty"` // as 100/1s
	Burst       int    `json:"burst,omitempty"`
	Concurrency int    `json:"concurrency,omitempty"`
	// Remaining are the requests that the replica which was asked admits right
	// now; it gets more as it needs them.
	Remaining *int `json:"remaining,omitempty"`
	InFlight  int  `json:"in_flight"` // there, this one included
}

// meAccess is one access rule.
type meAccess struct {
	Environment string             `json:"environment"`
	Credential  string             `json:"credential"`
	Default     bool               `json:"default,omitempty"`
	Until       *time.Time         `json:"until,omitempty"`
	Ended       bool               `json:"ended,omitempty"`
	Services    map[string]meGrant `json:"services"` // "*" = all that are not sensitive
}

type meGrant struct {
	Allows  string   `json:"allows"` // read, write or the methods
	Methods []string `json:"methods,omitempty"`
	Paths   []string `json:"paths,omitempty"`
}

// meService is a service that some access rule speaks of.
type meService struct {
	Environment string        `json:"environment"`
	Service     string        `json:"service"`
	Breaker     string        `json:"breaker"`
	RetryAfter  float64       `json:"breaker_opens_in_seconds,omitempty"`
	Quotas      []quotaOfMine `json:"quotas,omitempty"`
}

// quotaOfMine is a bucket as one caller sees it, as in the fields of answers.
type quotaOfMine struct {
	Policy      string   `json:"policy"` // as in RateLimit-Policy: crm-authenticated
	Credentials []string `json:"credentials"`
	Kind        string   `json:"kind"`
	// Known is false until an answer of the upstream, or the configuration, has
	// told the numbers.
	Known     bool       `json:"known"`
	Limit     int64      `json:"limit"`
	Remaining int64      `json:"remaining"`
	Share     mineShare  `json:"share"`
	Window    float64    `json:"window_seconds,omitempty"`
	Reset     string     `json:"reset,omitempty"` // as the upstream writes it
	Opens     *time.Time `json:"opens,omitempty"`
	OpensIn   float64    `json:"opens_in_seconds,omitempty"`
	Blocked   bool       `json:"blocked"`
	Enforced  bool       `json:"enforced"`
}

// mineShare is what the caller may count on.
type mineShare struct {
	Guarantee int64 `json:"guarantee,omitempty"`
	Cap       int64 `json:"cap,omitempty"`
	Weight    int64 `json:"weight"`
	Tokens    int64 `json:"tokens"` // its guarantee, else its fair part
	Remaining int64 `json:"remaining"`
}

// selfView makes the documents of one generation.
type selfView struct {
	cfg      *config.Config
	callers  map[string]*auth.Caller
	services []*config.EffectiveService
	buckets  map[serviceKey][]selfBucket
	quotas   *limiter.Set
	limits   *callerlimit.Set
	breakers func() []breaker.Status
	now      func() time.Time
}

// selfBucket is a bucket of one service, and whose requests it counts.
type selfBucket struct {
	config.Bucket

	key limiter.Key
}

func newSelfView(g *generation, breakers func() []breaker.Status, now func() time.Time) *selfView {
	v := &selfView{
		cfg: g.cfg, callers: map[string]*auth.Caller{}, buckets: map[serviceKey][]selfBucket{},
		quotas: g.quotas, limits: g.limits, breakers: breakers, now: now, services: slices.Collect(g.cfg.Proxied()),
	}
	for i := range g.callers {
		v.callers[g.callers[i].Name] = &g.callers[i]
	}
	for _, b := range g.cfg.Buckets() {
		at := serviceKey{b.Service.Environment, b.Service.Name}
		v.buckets[at] = append(v.buckets[at], selfBucket{b, bucketKey(b)})
	}
	return v
}

// me describes the caller that sent a request.
func (v *selfView) me(who *exchange.Caller) meDocument {
	d := meDocument{
		Caller: who.Name, Proof: who.Proof, KeyID: who.KeyID, Environment: who.Environment, Environments: who.Environments,
		Class: who.Class, Classes: []string{who.Class}, Access: []meAccess{}, Services: []meService{},
	}
	c := v.callers[who.Name]
	if c == nil { // cannot be: it was authenticated by the same configuration
		return d
	}
	now := v.now()
	for _, class := range c.Classes {
		if !slices.Contains(d.Classes, class) {
			d.Classes = append(d.Classes, class)
		}
	}
	d.Expires = keyExpiry(c, who)
	d.Limits = v.limitsOf(who.Name)
	for _, a := range c.Access {
		d.Access = append(d.Access, meAccessOf(a, now))
	}
	d.Services = v.servicesOf(c, now)
	return d
}

func keyExpiry(c *auth.Caller, who *exchange.Caller) *time.Time {
	if who.Proof != "key" && who.Proof != "token" { // a token of the gateway ends with its key
		return nil
	}
	for _, k := range c.Keys {
		if k.ID == who.KeyID {
			return instantOrNil(k.Expires)
		}
	}
	return nil
}

func (v *selfView) limitsOf(caller string) *meLimits {
	state, ok := v.limits.State(caller)
	if !ok {
		return nil
	}
	d := &meLimits{Burst: state.Limit.Burst, Concurrency: state.Limit.Concurrency, InFlight: state.InFlight}
	if rate := v.cfg.Callers[caller].RateLimit.Rate; !rate.IsZero() {
		d.Rate, d.Remaining = rate.String(), &state.Tokens
	}
	return d
}

func meAccessOf(a auth.Access, now time.Time) meAccess {
	d := meAccess{
		Environment: a.Environment, Credential: a.Credential, Default: a.Default, Until: instantOrNil(a.Until),
		Ended: hasEnded(a, now), Services: map[string]meGrant{},
	}
	for name, g := range a.Services {
		grant := meGrant{Allows: string(g.Level), Methods: g.Methods}
		if grant.Allows == "" {
			grant.Allows = auth.Grant{Methods: g.Methods}.String()
		}
		for _, p := range g.Paths {
			grant.Paths = append(grant.Paths, p.String())
		}
		d.Services[name] = grant
	}
	return d
}

func hasEnded(a auth.Access, now time.Time) bool { return !a.Until.IsZero() && !now.Before(a.Until) }
