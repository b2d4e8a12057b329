package config

import (
	"fmt"
	"slices"
)

// idleCaches warns of settings of the cache that nothing uses. One that several
// environments share counts as used where one of them uses it.
func (c *checker) idleCaches() {
	idle, used := map[string]Problem{}, map[string]bool{}
	for _, name := range slices.DeleteFunc(c.EnvironmentNames(), func(name string) bool { return !c.inUse(name) }) {
		for _, s := range c.environments[name].Services() {
			if s.Upstream == nil {
				continue
			}
			for setting, why := range idleCache(s) {
				key, _ := c.keyOf(s, setting)
				at := firstWritten(find(s.tree, setting))
				switch {
				case why == "":
					used[key] = true
				case at.written():
					idle[key] = Problem{at, key, valueOf(s.tree, setting) + "has no effect: " + why}
				}
			}
		}
	}
	for _, key := range sortedKeys(idle) {
		if !used[key] {
			c.report.warnings = append(c.report.warnings, idle[key])
		}
	}
}

// valueOf quotes a scalar as it was written.
func valueOf(t tree, path string) string {
	if l, ok := find(t, path).(leaf); ok && !l.List && l.Text != "" {
		return fmt.Sprintf("%q ", l.Text)
	}
	return ""
}

// idleCache says of each setting of a service's cache why nothing uses it, ""
// if something does.
func idleCache(s *EffectiveService) map[string]string {
	cache, idle := s.Cache, map[string]string{}
	for _, setting := range []string{"catalogue", "targeted", "max_object", "rules"} {
		idle["cache."+setting] = ""
		if cache.Mode == none {
			idle["cache."+setting] = "cache.mode is none, so nothing is stored: remove it, or set cache.mode: policy"
		}
	}
	switch {
	case cache.Mode == none:
		return idle
	case cache.Mode == "policy" && cache.Targeted:
		idle["cache.targeted"] = "in mode policy rules give the times, and no field of the upstream does: remove it, or set cache.mode: rfc9111"
	case cache.Mode == "rfc9111" && cache.Catalogue == "suggest":
		idle["cache.catalogue"] = "in mode rfc9111 there is nothing to suggest, and the catalogue's rules apply: write apply or ignore, or set cache.mode: policy"
	}
	for i, r := range cache.Rules {
		at := index("cache.rules", i)
		why := idleRule(cache.Mode, r)
		for _, setting := range []string{"negative_ttl", "stale_while_revalidate", "stale_if_error", "no_cache", "share", "vary", "tags"} {
			idle[at+"."+setting] = why[setting]
		}
		idle[at+".ttl"] = ""
		if cache.Mode == "rfc9111" && r.TTL != 0 && !servesHeaders(s.tree, at) {
			idle[at+".ttl"] = upstreamsTimes + ": remove the rule, or set cache.mode: policy"
		}
	}
	return idle
}

const upstreamsTimes = "in mode rfc9111 the upstream's own fields give the times"

// idleRule says of settings of a rule why nothing uses them.
func idleRule(mode string, r CacheRule) map[string]string {
	idle := map[string]string{}
	if r.TTL == 0 {
		for _, setting := range []string{"no_cache", "share", "vary", "tags"} {
			idle[setting] = "ttl none stores nothing: remove it"
		}
		return idle
	}
	if mode == "rfc9111" {
		for _, setting := range []string{"negative_ttl", "stale_while_revalidate", "stale_if_error"} {
			idle[setting] = upstreamsTimes + ": remove it, or set cache.mode: policy"
		}
		idle["no_cache"] = "in mode rfc9111 a caller's no-cache is obeyed: remove it, or set cache.mode: policy"
	}
	return idle
}

// servesHeaders reports whether a rule says something that counts in mode
// rfc9111 too. It must have a ttl then, as every rule.
func servesHeaders(t tree, rule string) bool {
	return slices.ContainsFunc([]string{"share", "vary", "tags", "invalidates"}, func(setting string) bool {
		return find(t, rule+"."+setting) != nil
	})
}

// idleTier warns of a server for stored answers that get none.
func (c *checker) idleTier() {
	tier := c.Cache.Redis
	var why string
	switch {
	case len(tier.Addresses) == 0:
		return
	case c.Redis == nil:
		why = "without a redis section"
	case !tier.Enabled:
		why = "while cache.redis.enabled is false"
	case len(c.Redis.EncryptionKeys) == 0:
		why = "without redis.encryption_keys: stored answers never lie in Redis in the clear"
	default:
		return
	}
	c.warnf("cache.redis.addresses", "have no effect %s", why)
}
