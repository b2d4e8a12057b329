package main

import (
	"fmt"
	"slices"
	"strings"

	"iqgateway/config"
	"iqgateway/internal/pathpattern"
)

// cache says what would be kept of the answer. Whether it is there right now,
// only a running gateway knows.
func (f facts) cache() fact {
	t, mode := f.ex.Target, f.service.Source("cache.mode")
	rule, found := cacheRuleOf(f.service, t.Path)
	switch {
	case f.service.Cache.Mode == "none":
		return fact{"cache", "off", mode}
	case t.Session:
		return fact{"cache", "not stored: the gateway answers it itself", "built in"}
	case t.Write:
		return fact{"cache", "not stored: it writes, and drops what it may change", "built in"}
	case f.ex.Credential == passthrough && t.Policy != "anonymous":
		return fact{"cache", "not used: the caller brings a token of its own", "built in"}
	case !f.cfg.Callers[f.query.caller].Cache:
		return fact{"cache", "not used for this caller", f.cfg.Source("callers." + f.query.caller + ".cache")}
	case found && rule.never():
		return fact{"cache", "not stored: " + rule.Path.String() + " has ttl none", rule.source}
	case f.service.Cache.Mode == "rfc9111":
		return fact{"cache", "as the upstream's own headers say", mode}
	case !found || rule.ignored:
		return fact{"cache", "not stored: no rule matches", mode}
	case rule.suggest:
		return fact{"cache", fmt.Sprintf("not stored: %s only suggests %s", rule.Path, rule.TTL), rule.source}
	default:
		return fact{"cache", fmt.Sprintf("%s for %s, shared by %s", rule.Path, rule.TTL, rule.Share), rule.source}
	}
}

// cacheRule is what else the rules say that count for the request: of a read the
// one by which its answer is kept, of a write all that know what it changes.
func (f facts) cacheRule() []fact {
	t := f.ex.Target
	if f.service.Cache.Mode == "none" || t.Session {
		return nil
	}
	if t.Write {
		return invalidated(f.service, foldedOr(t.Path))
	}
	rule, found := cacheRuleOf(f.service, t.Path)
	if !found || rule.never() || rule.ignored || !f.cfg.Callers[f.query.caller].Cache {
		return nil
	}
	var list []fact
	if f.service.Cache.Mode == "policy" {
		list = append(list, rule.times()...)
	}
	if len(rule.Vary) > 0 {
		list = append(list, fact{"cache.vary", joined(rule.Vary), rule.source})
	}
	if len(rule.Tags) > 0 {
		list = append(list, fact{"cache.tags", joined(rule.Tags), rule.source})
	}
	return list
}

// times are what a rule says beside its ttl, in mode policy.
func (r placedRule) times() []fact {
	var list []fact
	for _, s := range []struct {
		name string
		time config.Duration
	}{
		{"cache.negative_ttl", r.NegativeTTL},
		{"cache.stale_while_revalidate", r.StaleWhileRevalidate},
		{"cache.stale_if_error", r.StaleIfError},
	} {
		if s.time > 0 {
			list = append(list, fact{s.name, s.time.String(), r.source})
		}
	}
	return append(list, fact{"cache.no_cache", r.NoCache, r.source})
}

// invalidated is what rules say that a write changes beside its own path.
func invalidated(s *config.EffectiveService, folded string) []fact {
	var list []fact
	for _, r := range cacheRules(s) {
		if _, ok := r.Path.CaptureFolded(folded); ok && len(r.Invalidates) > 0 {
			list = append(list, fact{"cache.invalidates", joined(r.Invalidates), r.source})
		}
	}
	return list
}

func joined[T any](list []T) string {
	texts := make([]string, len(list))
	for i, v := range list {
		texts[i] = fmt.Sprint(v)
	}
	return strings.Join(texts, ", ")
}

// foldedOr returns a path as the upstream reads it, or as it is where that has
// no reading.
func foldedOr(path string) string {
	if folded, err := pathpattern.Fold(path); err == nil {
		return folded
	}
	return path
}

// cacheRuleOf returns the rule that counts for a path.
func cacheRuleOf(s *config.EffectiveService, path string) (placedRule, bool) {
	rules, folded := cacheRules(s), foldedOr(path)
	i := slices.IndexFunc(rules, func(r placedRule) bool { return r.matches(path, folded) })
	if i < 0 {
		return placedRule{}, false
	}
	return rules[i], true
}

// consideredCache lists the cache rules that match the path, in the order in
// which they are tried: the first one counts.
func consideredCache(s *config.EffectiveService, path string) []considered {
	folded := foldedOr(path)
	var list []considered
	for _, r := range cacheRules(s) {
		if !r.matches(path, folded) {
			continue
		}
		c := considered{Rule: "cache rule " + r.Path.String() + " (" + r.source + ")", Chosen: len(list) == 0}
		if !c.Chosen {
			c.Reason = "a rule of the configuration, or a more specific one, comes first"
		}
		list = append(list, c)
	}
	return list
}
