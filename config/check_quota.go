package config

import (
	"strings"
	"time"
)

// shortestWindow: no upstream counts by less, and no clock of a fleet could
// follow it.
const shortestWindow = time.Second

// quota checks the kind of a service's quota against what is said of it.
func (c *checker) quota(s *EffectiveService, fail func(setting, format string, args ...any)) {
	q := &s.Quota
	switch {
	case q.Kind == "concurrency" && q.Max == 0:
		at := "quota.max"
		if !lookup(s.tree, at).written() {
			at = "quota.kind"
		}
		fail(at, "kind concurrency needs quota.max: how many requests the upstream takes at once (DataConnect: 8)")
	case q.Kind == "concurrency" && !q.Assume.IsZero():
		c.without(s, "quota.assume", "kind concurrency has no window: set quota.max alone")
	case q.Kind == none:
		for _, setting := range []string{"quota.max", "quota.assume", "quota.shares"} {
			c.without(s, setting, "quota.kind is none: nothing is counted")
		}
	case !q.Assume.IsZero() && q.Assume.Per < shortestWindow:
		fail("quota.assume", "%q: a window is a second or longer; for a minute write 1000/60s", q.Assume)
	}
}

// without warns of a setting of the configuration that nothing uses.
func (c *checker) without(s *EffectiveService, setting, why string) {
	key, _ := c.keyOf(s, setting)
	if at := firstWritten(find(s.tree, setting)); at.written() && !strings.HasPrefix(key, "defaults.") {
		c.report.warnf(at, key, "has no effect: %s", why)
	}
}

// idleShares warns of callers that have a share of what they may not use.
func (c *checker) idleShares() {
	type place struct {
		key, caller, service string
		at                   Origin
	}
	var places []place
	used := map[string]bool{} // by key
	for _, environment := range c.EnvironmentNames() {
		for _, s := range c.environments[environment].Services() {
			for _, caller := range sortedKeys(s.Quota.Shares) {
				if _, known := c.Callers[caller]; !known || s.Upstream == nil {
					continue
				}
				key, at := c.keyOf(s, join("quota.shares", caller))
				if _, seen := used[key]; !seen {
					places = append(places, place{key, caller, s.Name, at})
				}
				used[key] = used[key] || c.mayUse(caller, s)
			}
		}
	}
	for _, p := range places {
		if !used[p.key] {
			c.report.warnf(p.at, p.key, "has no effect: callers.%s.access does not have %s", p.caller, p.service)
		}
	}
}

func (c *checker) mayUse(caller string, s *EffectiveService) bool {
	for _, a := range c.Callers[caller].Access {
		if c.accessEnvironment(a) == s.Environment && a.covers(s) && (a.Credential != passthrough || s.Quota.Scope == egress) {
			return true
		}
	}
	return false
}
