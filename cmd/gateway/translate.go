package main

import (
	"cmp"
	"fmt"
	"slices"

	"iqgateway/auth"
	"iqgateway/config"
	"iqgateway/internal/pathpattern"
	"iqgateway/proxy"
	"iqgateway/tokencache"
)

// This file turns configuration into each leaf's own options. It decides
// nothing.

// dataConnect is the one service whose /session hands out tokens.
const dataConnect = "dataconnect"

// accountsService has the token endpoint.
const accountsService = "accounts"

// passthrough stands for a credential where callers bring their own token.
const passthrough = auth.Passthrough

func routeEnvironments(cfg *config.Config) []proxy.RouteEnvironment {
	all := make([]proxy.RouteEnvironment, 0, len(cfg.EnvironmentNames()))
	for _, name := range cfg.EnvironmentNames() {
		env, _ := cfg.Environment(name)
		re := proxy.RouteEnvironment{Name: name}
		for _, s := range env.Services() {
			if s.Upstream != nil {
				re.Services = append(re.Services, routeService(s))
			}
		}
		all = append(all, re)
	}
	return all
}

func routeService(s *config.EffectiveService) proxy.RouteService {
	rs := proxy.RouteService{
		Name:           s.Name,
		Aliases:        s.Aliases,
		Upstream:       s.Upstream,
		Authentication: s.Authentication,
		Sensitive:      s.Sensitive,
		// Whatever its switches say: forwarded, it would give callers the token.
		Session:   s.Name == dataConnect || s.Session.Cookies || s.Session.PreferredEndpoint,
		Tokens:    s.Name == accountsService,
		Denied:    s.Denied,
		Anonymous: s.Anonymous,
		Routes:    routePatterns(s),
	}
	for _, e := range s.SideEffects {
		rs.SideEffects = append(rs.SideEffects, proxy.SideEffect{Path: e.Path, Parameter: e.Parameter, Values: e.Values})
	}
	for _, p := range s.Reads {
		rs.Reads = append(rs.Reads, proxy.ReadingPost{Path: p.Path, WithoutBody: p.WithoutBody})
	}
	return rs
}

// routePatterns are all patterns that name a part of the service: they are the
// route labels of metrics and spans.
func routePatterns(s *config.EffectiveService) []pathpattern.Pattern {
	all := slices.Concat(s.Anonymous, s.Denied)
	for _, rules := range [][]config.CacheRule{s.Cache.Rules, s.CatalogueRules} {
		for _, r := range rules {
			all = append(all, r.Path)
		}
	}
	for _, e := range s.SideEffects {
		all = append(all, e.Path)
	}
	for _, p := range s.Reads {
		all = append(all, p.Path)
	}
	all = slices.DeleteFunc(all, pathpattern.Pattern.IsZero)
	slices.SortFunc(all, func(a, b pathpattern.Pattern) int {
		return cmp.Or(pathpattern.Compare(a, b), cmp.Compare(a.String(), b.String()))
	})
	return slices.CompactFunc(all, func(a, b pathpattern.Pattern) bool { return pathpattern.Compare(a, b) == 0 })
}

func callers(cfg *config.Config) []auth.Caller {
	all := make([]auth.Caller, 0, len(cfg.Callers))
	for name, c := range cfg.Callers {
		caller := auth.Caller{Name: name, Environment: c.Environment, Class: c.Class, Classes: c.Classes, Blocked: c.Blocked}
		for _, k := range c.Keys {
			caller.Keys = append(caller.Keys, auth.Key{ID: k.ID, Digest: auth.Digest(k.SHA256), Expires: k.Expires})
		}
		for _, name := range c.Certificates {
			caller.Certificates = append(caller.Certificates, auth.CertificateName(name))
		}
		for _, s := range c.Subjects {
			caller.Subjects = append(caller.Subjects, auth.Subject(s))
		}
		for _, a := range c.Access {
			caller.Access = append(caller.Access, access(a))
		}
		all = append(all, caller)
	}
	slices.SortFunc(all, func(a, b auth.Caller) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

func access(a config.Access) auth.Access {
	out := auth.Access{
		Credential: a.Credential, Environment: a.Environment, Default: a.Default, Until: a.Until,
		Services: make(map[string]auth.Grant, len(a.Services)),
	}
	for name, g := range a.Services {
		out.Services[name] = auth.Grant{Level: auth.Level(g.Level), Methods: g.Methods, Paths: g.Paths}
	}
	return out
}

// transportSettings are those of one environment, with the timeouts of one
// service.
func transportSettings(env *config.EffectiveEnvironment, t config.Timeouts, trust *proxy.Trust) proxy.TransportSettings {
	settings := proxy.TransportSettings{
		Connect:        t.Connect,
		ResponseHeader: t.ResponseHeader,
		WriteIdle:      t.BodyIdle,
		Resolver:       string(env.Resolver),
		AllowPlaintext: env.AllowPlaintext,
		Trust:          trust,
	}
	if proxyURL := env.ProxyURL.URL; proxyURL != nil {
		settings.ProxyURL = proxyURL.String() // with its password: the proxy needs it
	}
	return settings
}

func headerMode(name string) proxy.HeaderMode {
	switch name {
	case "minimal":
		return proxy.HeadersMinimal
	case "debug":
		return proxy.HeadersDebug
	default:
		return proxy.HeadersStandard
	}
}

func tokenCredential(cfg *config.Config, name string) (tokencache.Credential, error) {
	c := cfg.Credentials[name]
	out := tokencache.Credential{
		Name: name, Environment: c.Environment, Grant: tokencache.Grant(c.Grant), RefreshAhead: c.RefreshAhead,
		Secrets: tokencache.Secrets{
			ClientID: c.ClientID.Text, ClientSecret: c.ClientSecret.Text,
			Username: c.Username.Text, Password: c.Password.Text,
		},
		Reread: rereadSecrets(c),
	}
	if c.TokenURL != nil {
		out.TokenURL = c.TokenURL.String()
		return out, nil
	}
	env, _ := cfg.Environment(c.Environment)
	accounts, ok := env.Service(accountsService)
	if !ok || accounts.Upstream == nil {
		return out, fmt.Errorf("credentials.%s: environment %s has no accounts service; set token_url", name, c.Environment)
	}
	out.TokenURL = accounts.Upstream.JoinPath("v1/oauth2/token").String()
	return out, nil
}
