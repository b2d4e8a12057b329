package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"iqgateway/cache"
	"iqgateway/config"
	"iqgateway/internal/pathpattern"
)

// cacheServices are the services of a configuration whose answers may be kept,
// or whose writes may drop answers.
func cacheServices(cfg *config.Config) map[cache.ServiceName]*cache.Service {
	services := map[cache.ServiceName]*cache.Service{}
	for s := range cfg.Proxied() {
		if s.Cache.Mode != "none" {
			services[cache.ServiceName{Environment: s.Environment, Service: s.Name}] = cacheService(s, cfg.Writable(s))
		}
	}
	return services
}

func cacheService(s *config.EffectiveService, writable bool) *cache.Service {
	out := &cache.Service{
		Mode: cache.ModePolicy, Version: cacheVersion(s), Targeted: s.Cache.Targeted, MaxObject: int64(s.Cache.MaxObject),
		FetchTimeout: s.Timeouts.Total, Forward: canonicalNames(s.Headers.Forward), Writable: writable,
	}
	if s.Cache.Mode == "rfc9111" {
		out.Mode = cache.ModeRFC9111
	}
	for _, r := range cacheRules(s) {
		out.Rules = append(out.Rules, r.translate(out.Version))
	}
	return out
}

// placedRule is a cache rule, and what the operator has made of it.
type placedRule struct {
	config.CacheRule
	source  string // where it stands
	suggest bool   // only counts what would have hit
	// ignored keeps nothing by the rule: it stands for what writes to its path
	// drop.
	ignored bool
}

// never reports whether the rule forbids to store. Such a rule is a restriction
// and matches as the upstream does: decoded and case-folded.
func (r placedRule) never() bool { return r.TTL == 0 && !r.ignored }

// matches takes the raw path and the folded one.
func (r placedRule) matches(raw, folded string) bool {
	return r.Path.Match(raw) || r.never() && r.Path.MatchFolded(folded)
}

// cacheRules returns the rules of a service in the order in which they are
// tried: those of the configuration first, then the catalogue's, each the most
// specific first.
//
// A catalogue that is ignored still forbids (its ttl none marks personal data
// and secrets) and still knows what a write changes elsewhere: both only ever
// make fewer answers come from the cache, and a rule of the configuration
// beats them.
func cacheRules(s *config.EffectiveService) []placedRule {
	all := make([]placedRule, 0, len(s.Cache.Rules)+len(s.CatalogueRules))
	for i, r := range s.Cache.Rules {
		all = append(all, placedRule{CacheRule: r, source: s.Source(fmt.Sprintf("cache.rules[%d]", i))})
	}
	mostSpecificFirst(all)
	catalogue := make([]placedRule, 0, len(s.CatalogueRules))
	for _, r := range s.CatalogueRules {
		p := placedRule{CacheRule: r, source: builtInCatalogue + ", " + s.Cache.Catalogue}
		switch {
		case r.TTL == 0:
		case s.Cache.Catalogue == "ignore" && len(r.Invalidates) == 0:
			continue
		case s.Cache.Catalogue == "ignore":
			p.ignored = true
		case s.Cache.Mode == "policy":
			p.suggest = s.Cache.Catalogue == "suggest"
		}
		catalogue = append(catalogue, p)
	}
	mostSpecificFirst(catalogue)
	return append(all, catalogue...)
}

func mostSpecificFirst(rules []placedRule) {
	slices.SortStableFunc(rules, func(a, b placedRule) int {
		return cmp.Or(pathpattern.Compare(a.Path, b.Path), strings.Compare(a.Path.String(), b.Path.String()))
	})
}

func (r placedRule) translate(service string) cache.Rule {
	out := cache.Rule{
		Path: r.Path, Version: r.version(service), Never: r.never(),
		PerCaller: r.Share == "caller", Vary: canonicalNames(r.Vary), Tags: r.Tags,
		Suggest: r.suggest, Invalidates: r.Invalidates,
	}
	switch r.NoCache {
	case "obey":
		out.NoCache = cache.NoCacheObey
	case "ignore":
		out.NoCache = cache.NoCacheIgnore
	}
	if !r.ignored {
		out.TTL, out.NegativeTTL = r.TTL, r.NegativeTTL
		out.StaleWhileRevalidate, out.StaleIfError = r.StaleWhileRevalidate, r.StaleIfError
	}
	return out
}

// cacheVersion changes with what decides what an answer of a service is.
func cacheVersion(s *config.EffectiveService) string {
	return shortHash(s.Upstream, s.Authentication, s.Cache.Mode, s.Cache.Targeted)
}

// version changes with the service's version and any setting of the rule: what
// was stored before is then not found any more, on no replica. What is only
// read when a request asks or writes does not count.
func (r placedRule) version(service string) string {
	return shortHash(service, r.suggest, r.ignored, r.Path, r.TTL, r.NegativeTTL, r.StaleWhileRevalidate, r.StaleIfError,
		r.Share, canonicalNames(r.Vary), r.Tags)
}

func shortHash(values ...any) string {
	hash := sha256.New()
	for _, v := range values {
		fmt.Fprintf(hash, "%q\n", fmt.Sprint(v)) // quoted: no value can look like two
	}
	const short = 8 // bytes: settings of one service, not of the world
	return hex.EncodeToString(hash.Sum(nil)[:short])
}

func canonicalNames(names []config.HeaderName) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = http.CanonicalHeaderKey(string(n))
	}
	return out
}
