package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"iqgateway/auth"
	"iqgateway/config"
	"iqgateway/internal/exchange"
	"iqgateway/limiter"
	"iqgateway/proxy"
)

// facts reads the decisions about one routed request off the configuration.
type facts struct {
	cfg     *config.Config
	env     *config.EffectiveEnvironment
	service *config.EffectiveService
	ex      *exchange.Exchange
	query   explainQuery
	rules   []proxy.MatchedRule
}

// place is where the request goes, which is known of refused ones too.
func (f facts) place() []fact {
	return []fact{
		{"environment", f.env.Name, f.environmentSource()},
		{"service", f.service.Name, f.serviceSource()},
		{"called as", f.ex.Form.String(), ""},
	}
}

func (f facts) all() []fact {
	t := f.ex.Target
	upstream := t.Upstream.String()
	switch {
	case t.Session: // the caller's own path and query stay here
		upstream += "/session"
	case t.HasQuery:
		upstream += t.Path + "?" + t.RawQuery
	default:
		upstream += t.Path
	}
	list := append(f.place(),
		fact{"upstream", upstream, f.upstreamSource()},
		fact{"route", t.Route, ""},
		f.needs(),
		fact{"authentication", t.Authentication + " (" + t.Policy + " quota)", f.authenticationSource()},
	)
	list = append(list, f.session()...)
	if f.ex.Credential != "" {
		list = append(list,
			f.credential(),
			fact{"class", f.ex.Class, f.cfg.Source("callers." + f.query.caller + ".class")})
	}
	list = append(list, f.callerLimit()...)
	if f.ex.Credential != "" || t.Policy == "anonymous" {
		list = append(list, f.quota()...)
	}
	list = append(list, f.cache())
	list = append(list, f.cacheRule()...)
	return append(list, f.limits()...)
}

// credential is what goes upstream to prove who asks.
func (f facts) credential() fact {
	if f.ex.Credential == passthrough {
		return fact{"credential", passthrough + ": the token that the caller brings as Authorization: Bearer, beside what proves it", f.cfg.Source("callers." + f.query.caller + ".access")}
	}
	return fact{"credential", f.ex.Credential, f.cfg.Source("credentials." + f.ex.Credential)}
}

// session is what the gateway keeps of the upstream's session. Whether the
// upstream prefers another host right now, only a running gateway knows.
func (f facts) session() []fact {
	t, s := f.ex.Target, f.service.Session
	if t.Session {
		return []fact{{"session", "answered by the gateway itself, without tokens", "built in"}}
	}
	if t.Authentication != "bearer" || t.Policy == "anonymous" || f.ex.Credential == passthrough {
		return nil
	}
	var list []fact
	if s.Cookies {
		list = append(list, fact{"session.cookies", "kept per credential and host, shared by its callers", f.service.Source("session.cookies")})
	}
	if s.PreferredEndpoint {
		list = append(list, fact{"session.preferred_endpoint", "the host that the upstream prefers for the credential, where it names one", f.service.Source("session.preferred_endpoint")})
	}
	return list
}

// environmentSource says what named the environment.
func (f facts) environmentSource() string {
	named := "/" + f.env.Name + "/"
	switch {
	case f.ex.Form != exchange.FormPath:
		return "the host names it"
	case strings.HasPrefix(f.path(), named):
		return "the path names it"
	case len(f.ex.Caller.Environments) == 1:
		return "the caller's only one"
	default:
		return f.cfg.Source("callers." + f.query.caller + ".environment")
	}
}

func (f facts) serviceSource() string {
	switch {
	case f.ex.Form != exchange.FormPath:
		return "the host names it"
	case strings.HasPrefix(strings.TrimPrefix(f.path(), "/"+f.env.Name)+"/", "/"+f.service.Name+"/"):
		return "the path names it"
	default:
		return "the path names it by an alias"
	}
}

// path is the caller's own, with the gateway's part of it.
func (f facts) path() string {
	path, _, _ := strings.Cut(f.query.url, "?")
	if _, rest, ok := strings.Cut(path, "://"); ok {
		_, path, _ = strings.Cut(rest, "/")
		path = "/" + path
	}
	return path
}

// upstreamSource names every place that made the upstream's URL what it is.
func (f facts) upstreamSource() string {
	own := "environments." + f.env.Name + ".services." + f.service.Name + ".url"
	switch {
	case f.env.URL == "" && f.service.URL != "":
		return f.service.Source("url")
	case f.env.URL != "" && f.cfg.Source(own) != builtInDefault:
		return f.cfg.Source(own)
	case f.env.URL != "":
		return f.cfg.Source("environments." + f.env.Name + ".url")
	}
	var written []string
	for _, source := range []string{f.service.Source("host"), f.service.Source("prefix"), f.cfg.Source("environments." + f.env.Name + ".suffix")} {
		if source != builtInDefault && source != builtInCatalogue && !slices.Contains(written, source) {
			written = append(written, source)
		}
	}
	return cmp.Or(strings.Join(written, ", "), builtInCatalogue)
}

// What Source says of values that nobody wrote.
const (
	builtInDefault   = "default"
	builtInCatalogue = "catalogue"
)

// needs is the right that the request takes, and the rule that says so.
func (f facts) needs() fact {
	write, reason := "read", "the method reads"
	if f.ex.Target.Write {
		write, reason = "write", "the method writes"
	}
	for _, r := range f.rules {
		switch {
		case r.List == proxy.RuleSideEffects && f.ex.Target.Write, r.List == proxy.RuleReads && !f.ex.Target.Write:
			reason = f.ruleSource(r)
		}
	}
	return fact{"needs", write, reason}
}

func (f facts) authenticationSource() string {
	for _, r := range f.rules {
		if r.List == proxy.RuleAnonymous && f.ex.Target.Policy == "anonymous" && f.service.Authentication == "bearer" {
			return f.ruleSource(r)
		}
	}
	return f.service.Source("authentication")
}

// ruleSource names a rule of the service and where it stands.
func (f facts) ruleSource(r proxy.MatchedRule) string {
	return fmt.Sprintf("%s[%d], %s", r.List, r.Index, f.service.Source(fmt.Sprintf("%s[%d]", r.List, r.Index)))
}

// consideredRules lists the restrictions and exceptions that the request
// meets; all that apply do apply.
func (f facts) consideredRules() []considered {
	var list []considered
	for _, r := range f.rules {
		list = append(list, considered{Rule: r.List + " " + r.Text + " (" + f.service.Source(fmt.Sprintf("%s[%d]", r.List, r.Index)) + ")", Chosen: true})
	}
	return list
}

// quota names the bucket that would count the request, and the caller's share.
func (f facts) quota() []fact {
	q := f.service.Quota
	if q.Kind == "none" {
		return []fact{{"bucket", "none: nothing counts the request", f.service.Source("quota.kind")}}
	}
	limit := "limit learned from the upstream"
	switch {
	case q.Max > 0:
		limit = fmt.Sprintf("at most %d", q.Max)
	case !q.Assume.IsZero():
		limit = "at first " + q.Assume.String()
	}
	list := []fact{{"bucket", fmt.Sprintf("%s (%s, %s, by %s)", f.bucket(), q.Kind, limit, f.countedBy()), f.service.Source("quota.kind")}}
	share, source := f.cfg.Callers[f.query.caller].Share, f.cfg.Source("callers."+f.query.caller+".share")
	if own, ok := q.Shares[f.query.caller]; ok {
		share, source = own, f.service.Source("quota.shares."+f.query.caller)
	}
	return append(list, fact{
		"share",
		fmt.Sprintf("guarantee %s, cap %s, weight %d", share.Guarantee, share.Cap, share.Weight),
		source,
	}, f.patience())
}

// patience is how long the request may wait for quota. A bucket that is not
// enforced never holds it.
func (f facts) patience() fact {
	q := f.service.Quota
	if !q.Enforce {
		return fact{"quota.enforce", "false: counted, never held", f.service.Source("quota.enforce")}
	}
	key, wait := "quota.max_wait.interactive", q.MaxWait.Interactive
	switch f.ex.Class {
	case "batch":
		key, wait = "quota.max_wait.batch", q.MaxWait.Batch
	case "background":
		key, wait = "quota.max_wait.background", q.MaxWait.Background
	}
	if f.ex.Target.Write && q.MaxWait.Unsafe < wait {
		key, wait = "quota.max_wait.unsafe", q.MaxWait.Unsafe
	}
	return fact{key, wait.String(), f.service.Source(key)}
}

// bucket is the name that `gateway quota show` takes.
func (f facts) bucket() string {
	name := limiter.Name{Environment: f.env.Name, Service: f.service.Name, Policy: f.ex.Target.Policy}
	credential := f.ex.Credential
	if credential == passthrough {
		credential = config.PassthroughOf(f.query.caller)
	}
	for _, b := range f.cfg.Buckets() {
		if b.Service.Environment == name.Environment && b.Service.Name == name.Service && b.Policy == name.Policy && slices.Contains(b.Credentials, credential) {
			name.Of = b.Of
		}
	}
	return name.String()
}

func (f facts) countedBy() string {
	c := f.cfg.Credentials[f.ex.Credential]
	switch {
	case f.ex.Target.Policy == "anonymous" || f.service.Quota.Scope == "egress":
		return "egress address"
	case f.ex.Credential == passthrough:
		return "the own token of " + f.query.caller
	case c.QuotaGroup != "":
		return "group " + c.QuotaGroup
	case f.service.Quota.Scope == "client":
		return "client of " + f.ex.Credential
	default:
		return "credential " + f.ex.Credential
	}
}

func (f facts) limits() []fact {
	t := f.service.Timeouts
	text := func(d time.Duration) string {
		if d == 0 {
			return "none"
		}
		return d.String()
	}
	return []fact{
		{"timeouts.connect", text(t.Connect), f.service.Source("timeouts.connect")},
		{"timeouts.response_header", text(t.ResponseHeader), f.service.Source("timeouts.response_header")},
		{"timeouts.body_idle", text(t.BodyIdle), f.service.Source("timeouts.body_idle")},
		{"timeouts.total", text(t.Total), f.service.Source("timeouts.total")},
		f.maxBody(),
	}
}

// maxBody is the lower of the listener's limit and the service's.
func (f facts) maxBody() fact {
	server, own := f.cfg.Server.Limits.MaxBody, f.service.Limits.MaxBody
	if server != 0 && (own == 0 || server < own) {
		return fact{"server.limits.max_body", sizeText(server), f.cfg.Source("server.limits.max_body")}
	}
	return fact{"limits.max_body", sizeText(own), f.service.Source("limits.max_body")}
}

func sizeText(n config.Size) string {
	if n == 0 {
		return "none"
	}
	return n.String()
}

func (f facts) consideredAccess(policy *auth.Policy) []considered {
	var list []considered
	q, ex := f.query, f.ex
	for _, c := range policy.Explain(auth.Request{
		Caller: q.caller, Target: ex.Target, Method: q.method, Path: ex.Target.Path,
		Credential: q.credential, Priority: q.priority, Now: time.Now(),
	}) {
		list = append(list, considered{Rule: c.Rule, Chosen: c.Chosen, Reason: c.Reason})
	}
	return list
}
