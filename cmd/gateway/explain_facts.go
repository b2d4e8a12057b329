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
	"iqgateway/internal/pathpattern"
)

// facts reads the decisions about one routed request off the configuration.
type facts struct {
	cfg     *config.Config
	env     *config.EffectiveEnvironment
	service *config.EffectiveService
	ex      *exchange.Exchange
	query   explainQuery
}

func (f facts) all() []fact {
	t := f.ex.Target
	upstream := t.Upstream.String() + t.Path
	if t.HasQuery {
		upstream += "?" + t.RawQuery
	}
	needs := "read"
	if t.Write {
		needs = "write"
	}
	list := []fact{
		{"environment", t.Environment, f.environmentSource()},
		{"service", t.Service, f.serviceSource()},
		{"called as", f.ex.Form.String(), ""},
		{"upstream", upstream, f.upstreamSource()},
		{"route", t.Route, ""},
		{"needs", needs, ""},
		{"authentication", t.Authentication + " (" + t.Policy + " quota)", f.service.Source("authentication")},
	}
	if t.Session {
		list = append(list, fact{"session", "answered by the gateway itself, without tokens", "built in"})
	}
	if f.ex.Credential != "" {
		list = append(list,
			fact{"credential", f.ex.Credential, f.cfg.Source("credentials." + f.ex.Credential)},
			fact{"class", f.ex.Class, f.cfg.Source("callers." + f.query.caller + ".class")})
	}
	if f.ex.Credential != "" || t.Policy == "anonymous" {
		list = append(list, f.quota()...)
	}
	list = append(list, f.cache())
	return append(list, f.limits()...)
}

// environmentSource says what named the environment.
func (f facts) environmentSource() string {
	named := "/" + f.env.Name + "/"
	switch {
	case f.ex.Form != exchange.FormPath:
		return "the host names it"
	case strings.HasPrefix(f.ex.Target.Prefix+"/", named):
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
	case strings.HasSuffix(f.ex.Target.Prefix, "/"+f.service.Name):
		return "the path names it"
	default:
		return "the path names it by an alias"
	}
}

func (f facts) upstreamSource() string {
	switch {
	case f.service.URL != "" && f.service.Source("url") != "default":
		return f.service.Source("url")
	case f.env.URL != "":
		return f.cfg.Source("environments." + f.env.Name + ".url")
	default:
		return f.service.Source("host")
	}
}

// quota names the bucket that would count the request, and the caller's share.
func (f facts) quota() []fact {
	q := f.service.Quota
	bucket := strings.Join([]string{f.env.Name, f.service.Name, f.ex.Target.Policy, f.countedBy()}, " / ")
	limit := "limit learned from the upstream"
	switch {
	case q.Kind == "none":
		limit = "no limit"
	case q.Max > 0:
		limit = fmt.Sprintf("at most %d", q.Max)
	case !q.Assume.IsZero():
		limit = "at first " + q.Assume.String()
	}
	list := []fact{{"bucket", bucket + " (" + q.Kind + ", " + limit + ")", f.service.Source("quota.kind") + inactiveNote}}
	share, source := f.cfg.Callers[f.query.caller].Share, f.cfg.Source("callers."+f.query.caller+".share")
	if own, ok := q.Shares[f.query.caller]; ok {
		share, source = own, f.service.Source("quota.shares."+f.query.caller)
	}
	return append(list, fact{
		"share",
		fmt.Sprintf("guarantee %s, cap %s, weight %d", share.Guarantee, share.Cap, share.Weight),
		source + inactiveNote,
	})
}

const inactiveNote = " (not active yet)"

func (f facts) countedBy() string {
	c := f.cfg.Credentials[f.ex.Credential]
	switch {
	case f.ex.Target.Policy == "anonymous" || f.service.Quota.Scope == "egress":
		return "egress address"
	case c.QuotaGroup != "":
		return "group " + c.QuotaGroup
	case f.service.Quota.Scope == "client":
		return "client of " + f.ex.Credential
	default:
		return "credential " + f.ex.Credential
	}
}

func (f facts) cache() fact {
	rule, source := cacheRule(f.service, f.ex.Target.Path)
	mode := f.service.Cache.Mode
	switch {
	case mode == "none":
		return fact{"cache", "off", f.service.Source("cache.mode") + inactiveNote}
	case mode == "rfc9111":
		return fact{"cache", "as the upstream's own headers say", f.service.Source("cache.mode") + inactiveNote}
	case rule == nil:
		return fact{"cache", "not stored: no rule matches", f.service.Source("cache.mode") + inactiveNote}
	case rule.TTL == 0:
		return fact{"cache", "not stored: " + rule.Path.String() + " has ttl none", source + inactiveNote}
	default:
		return fact{"cache", fmt.Sprintf("%s for %s, shared by %s", rule.Path, rule.TTL, rule.Share), source + inactiveNote}
	}
}

// cacheRule returns the rule for a path and where it stands: the most specific
// of the configuration, else of the catalogue.
func cacheRule(s *config.EffectiveService, path string) (rule *config.CacheRule, source string) {
	pick := func(rules []config.CacheRule) *config.CacheRule {
		matching := slices.DeleteFunc(slices.Clone(rules), func(r config.CacheRule) bool { return !r.Path.Match(path) })
		if len(matching) == 0 {
			return nil
		}
		best := slices.MinFunc(matching, func(a, b config.CacheRule) int { return pathpattern.Compare(a.Path, b.Path) })
		return &best
	}
	if r := pick(s.Cache.Rules); r != nil {
		i := slices.IndexFunc(s.Cache.Rules, func(o config.CacheRule) bool { return o.Path.String() == r.Path.String() })
		return r, s.Source(fmt.Sprintf("cache.rules[%d]", i))
	}
	if r := pick(s.CatalogueRules); r != nil && s.Cache.Catalogue != "ignore" {
		return r, "catalogue, " + s.Cache.Catalogue
	}
	return nil, ""
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

func consideredAccess(policy *auth.Policy, ex *exchange.Exchange, q explainQuery) []considered {
	var list []considered
	for _, c := range policy.Explain(auth.Request{
		Caller: q.caller, Target: ex.Target, Method: q.method, Path: ex.Target.Path,
		Credential: q.credential, Priority: q.priority, Now: time.Now(),
	}) {
		list = append(list, considered{Rule: c.Rule, Chosen: c.Chosen, Reason: c.Reason})
	}
	return list
}

// consideredCache lists the cache rules that match the path, and which wins.
func consideredCache(s *config.EffectiveService, path string) []considered {
	winner, source := cacheRule(s, path)
	var list []considered
	add := func(rules []config.CacheRule, where string) {
		rules = slices.Clone(rules)
		slices.SortFunc(rules, func(a, b config.CacheRule) int {
			return cmp.Or(pathpattern.Compare(a.Path, b.Path), strings.Compare(a.Path.String(), b.Path.String()))
		})
		for _, r := range rules {
			if !r.Path.Match(path) {
				continue
			}
			c := considered{Rule: "cache rule " + r.Path.String() + " (" + where + ")"}
			c.Chosen = winner != nil && winner.Path.String() == r.Path.String() && strings.HasPrefix(source, "catalogue") == (where == "catalogue")
			if !c.Chosen {
				c.Reason = "a rule of the configuration, or a more specific one, comes first"
			}
			list = append(list, c)
		}
	}
	add(s.Cache.Rules, "configuration")
	add(s.CatalogueRules, "catalogue")
	return list
}
