package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// maxGuaranteed is the most of a bucket that may be promised: the rest absorbs
// what others use and what the clocks disagree about.
const maxGuaranteed = 80 // per cent

// guarantees adds up what is promised of each bucket.
func (c *checker) guarantees() {
	reported := map[string]bool{}
	for _, environment := range slices.DeleteFunc(c.EnvironmentNames(), func(name string) bool { return !c.inUse(name) }) {
		for _, s := range c.environments[environment].Services() {
			if s.Upstream == nil || s.Quota.Kind == none {
				continue
			}
			promises := c.promises(s)
			for _, bucket := range sortedKeys(promises) {
				promised := promises[bucket]
				text := overbooked(promised, s.Quota.limit())
				if text == "" {
					continue
				}
				// The same callers overbook many services alike.
				key, at := c.promiseKey(s, promised)
				if id := key + at.String() + text; !reported[id] {
					reported[id] = true
					c.report.errorf(at, key, "in bucket %s/%s %s", environment, s.Name, text)
				}
			}
		}
	}
}

// limit is the tokens of a bucket as far as they are known beforehand; 0 = not
// known.
func (q Quota) limit() int {
	if q.Max == 0 || q.Assume.Tokens > 0 && q.Assume.Tokens < q.Max {
		return q.Assume.Tokens
	}
	return q.Max
}

// promises returns the guarantees in each bucket of a service, by caller.
// Buckets are named by what the upstream counts by.
func (c *checker) promises(s *EffectiveService) map[string]map[string]Amount {
	buckets := map[string]map[string]Amount{}
	for _, name := range sortedKeys(c.Callers) {
		for _, a := range c.Callers[name].Access {
			if c.accessEnvironment(a) != s.Environment || !a.covers(s) || a.Credential == passthrough && s.Quota.Scope != egress {
				continue
			}
			bucket := c.countedBy(s, a.Credential)
			if buckets[bucket] == nil {
				buckets[bucket] = named(s.Quota.Shares)
			}
			if _, hasOwn := s.Quota.Shares[name]; !hasOwn {
				buckets[bucket][name] = c.Callers[name].Share.Guarantee
			}
		}
	}
	if len(buckets) == 0 && len(s.Quota.Shares) > 0 {
		buckets[""] = named(s.Quota.Shares)
	}
	return buckets
}

func named(shares map[string]Share) map[string]Amount {
	amounts := make(map[string]Amount, len(shares))
	for name, share := range shares {
		amounts[name] = share.Guarantee
	}
	return amounts
}

// overbooked says why the guarantees cannot all be kept, "" when they can.
func overbooked(promised map[string]Amount, limit int) string {
	sum, slots := 0.0, 0
	var parts []string
	for _, name := range sortedKeys(promised) {
		a := promised[name]
		if a.IsZero() {
			continue
		}
		parts = append(parts, fmt.Sprintf("%s %s", name, a))
		sum += a.Percent
		if limit > 0 {
			sum += 100 * float64(a.Tokens) / float64(limit)
			slots += a.AtLeastOne(limit)
		}
	}
	list := strings.Join(parts, ", ")
	switch {
	case sum > maxGuaranteed+1e-6:
		return fmt.Sprintf("guarantees sum to %.4g%% (%s): at most %d%% can be promised", sum, list, maxGuaranteed)
	case limit > 0 && slots > limit:
		return fmt.Sprintf("guarantees need %d tokens, at least 1 each (%s), of only %d", slots, list, limit)
	default:
		return ""
	}
}

// promiseKey returns where to correct it: the service's shares, or else the
// first caller that brings a guarantee of its own.
func (c *checker) promiseKey(s *EffectiveService, promised map[string]Amount) (string, Origin) {
	if len(s.Quota.Shares) > 0 {
		first := sortedKeys(s.Quota.Shares)[0]
		key, at := c.keyOf(s, join("quota.shares", first)+".guarantee")
		return strings.TrimSuffix(key, "."+first+".guarantee"), at
	}
	for _, name := range sortedKeys(maps.Clone(promised)) {
		if path := join("callers", name) + ".share.guarantee"; !promised[name].IsZero() {
			return path, c.at(path)
		}
	}
	return "callers", c.at("callers")
}
