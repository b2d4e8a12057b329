package config

import (
	"fmt"
	"slices"
	"strings"
)

// Override is one setting that an operator lays over all others for a time.
type Override struct {
	Key   string // callers.reporting.blocked
	Value string
	// Reason is shown where the value comes from.
	Reason string
}

// Overridable returns the key paths that may be overridden, with * for a name:
// those that help while something fails. No address, no credential and nothing
// that grants more than the files do is among them.
func Overridable() []string {
	ofCaller := []string{
		"blocked", "cache", "class", "share.guarantee", "share.cap", "share.weight",
		"rate_limit.rate", "rate_limit.burst", "rate_limit.concurrency",
	}
	ofService := []string{
		"quota.enforce", "quota.max", "quota.outside_use", "quota.on_store_error",
		"quota.max_wait.interactive", "quota.max_wait.batch", "quota.max_wait.background", "quota.max_wait.unsafe",
		"quota.shares.*.guarantee", "quota.shares.*.cap", "quota.shares.*.weight",
		"cache.mode", "cache.catalogue",
		"breaker.window", "breaker.min_requests", "breaker.failure_ratio", "breaker.open_for", "breaker.open_for_max",
		"throttle_breaker.consecutive", "throttle_breaker.open_for",
		"retry.max_attempts", "retry.budget",
		"timeouts.connect", "timeouts.response_header", "timeouts.body_idle", "timeouts.total",
		"limits.max_in_flight",
	}
	all := []string{"telemetry.logs.level", "telemetry.traces.sample"}
	for _, key := range ofCaller {
		all = append(all, "callers.*."+key)
	}
	for _, key := range ofService {
		all = append(all, "services.*."+key, "environments.*.services.*."+key)
	}
	slices.Sort(all)
	return all
}

// OverridePattern returns the entry of [Overridable] that allows a key path, ""
// if none does.
func OverridePattern(key string) string {
	keys := strings.Split(key, ".")
	for _, pattern := range Overridable() {
		if matches(strings.Split(pattern, "."), keys) {
			return pattern
		}
	}
	return ""
}

func matches(pattern, keys []string) bool {
	return slices.EqualFunc(pattern, keys, func(p, key string) bool { return p == key && p != "*" || p == "*" && isName(key) })
}

// CanonicalOverride returns the key path with services by name where it has an
// alias of the catalogue, so that one setting has one path. The path must be one
// that may be overridden, and its names must be those of c.
func (c *Config) CanonicalOverride(key string) (string, error) {
	if OverridePattern(key) == "" {
		return "", notOverridable(key)
	}
	keys := strings.Split(key, ".")
	for i := 0; i+1 < len(keys); i++ {
		var err error
		switch {
		case keys[i] == "services":
			keys[i+1], err = c.knownService(keys[i+1])
		case keys[i] == "callers" && i == 0, keys[i] == "shares":
			err = known("caller", keys[i+1], sortedKeys(c.Callers))
		case keys[i] == "environments" && i == 0:
			err = known("environment", keys[i+1], c.EnvironmentNames())
		}
		if err != nil {
			return "", fmt.Errorf("%s: %w", key, err)
		}
	}
	return strings.Join(keys, "."), nil
}

func known(what, name string, names []string) error {
	if slices.Contains(names, name) {
		return nil
	}
	return fmt.Errorf("there is no %s %q%s", what, name, didYouMean(name, names))
}

func (c *Config) knownService(name string) (string, error) {
	var names []string
	for _, environment := range c.EnvironmentNames() {
		e := c.environments[environment]
		if s, ok := e.Service(name); ok {
			return s.Name, nil
		}
		names = append(names, sortedKeys(e.names)...)
	}
	return "", known("service", name, names)
}

// notOverridable lists what may be overridden near a key path: below its first
// key, or else what may begin a path.
func notOverridable(key string) error {
	first, _, _ := strings.Cut(key, ".")
	var near, starts []string
	for _, pattern := range Overridable() {
		start, _, _ := strings.Cut(pattern, ".")
		if start == first {
			near = append(near, pattern)
		}
		starts = append(starts, start+".…")
	}
	if len(near) == 0 {
		near = slices.Compact(starts)
	}
	return fmt.Errorf("%s cannot be overridden while the gateway runs: change the configuration and reload; what can is %s", key, strings.Join(near, ", "))
}

// With returns the configuration with overrides laid over everything that c was
// read from, checked as a whole as [Load] does. It depends on nothing but c and the
// overrides: secrets are those of c, whatever their files hold by now, and no file
// needs to be there. The error is of type [Problems].
func (c *Config) With(overrides []Override) (*Config, Problems, error) {
	if len(overrides) == 0 {
		return c, nil, nil
	}
	builtIn, err := newBuiltInLayer()
	if err != nil {
		return nil, nil, err
	}
	l := &loader{options: c.options, schema: newSchema(), report: &report{}, paths: c.Paths, kept: c.secrets}
	l.options.Offline = true
	merged := copyTree(c.tree)
	overlay(merged, l.overrides(overrides))
	place(merged)
	over, err := l.read(builtIn, merged)
	if err != nil {
		return nil, nil, err
	}
	if errs := l.report.errors.sorted(l.paths); len(errs) > 0 {
		return nil, nil, errs
	}
	warnings := l.report.warnings.sorted(l.paths)
	return over, append(slices.DeleteFunc(warnings, func(p Problem) bool { return p.Origin.Layer != layerOverride }), over.beaten(overrides)...), nil
}

// overrides are the leaves of overrides. They are restricted first: what stands
// in a store may have been written by another version.
func (l *loader) overrides(all []Override) tree {
	over := &overrides{shaper: &shaper{schema: l.schema, report: l.report}, seen: map[string]Origin{}}
	laid := tree{}
	for _, o := range all {
		at := Origin{Layer: layerOverride, Name: o.Reason}
		if OverridePattern(o.Key) == "" {
			l.report.errors = append(l.report.errors, Problem{at, o.Key, notOverridable(o.Key).Error()})
			continue
		}
		if key, v := over.override(strings.Split(o.Key, "."), o.Value, at, false); key != "" {
			plant(laid, strings.Split(key, pathDelimiter), v)
		}
	}
	return laid
}

// beaten warns of overrides of a service that a more special setting beats in
// some environment.
func (c *Config) beaten(overrides []Override) Problems {
	var found Problems
	for _, o := range overrides {
		name, key, ok := cutService(o.Key)
		if !ok {
			continue
		}
		for _, environment := range c.EnvironmentNames() {
			own := find(subtree(c.tree, "environments", environment, "services", name), key)
			if at := originOf(own); own != nil && at.Layer != layerOverride {
				found = append(found, Problem{
					Origin{Layer: layerOverride, Name: o.Reason},
					o.Key,
					fmt.Sprintf("does not hold in %s, where %s sets it: override %s", environment, at, join(join(join("environments", environment), "services"), name)+"."+key),
				})
			}
		}
	}
	return found
}

func cutService(path string) (name, key string, ok bool) {
	rest, ok := strings.CutPrefix(path, "services.")
	if !ok {
		return "", "", false
	}
	return strings.Cut(rest, ".")
}

// Overridden returns the value that now holds at a key path that may be
// overridden, as it is written; "" = its default.
func (c *Config) Overridden(key string) string {
	l, _ := find(c.tree, key).(leaf)
	return l.Text
}
