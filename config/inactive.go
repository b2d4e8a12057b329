package config

import (
	"slices"
	"strings"
)

// Inactive lists the settings that somebody wrote although no stage of this
// program uses them yet. active are the key paths that are used, with * for a
// name, everything below them included. Settings of services are named as
// services.*.X wherever they stand. An access with credential passthrough is
// one of them unless active has the word passthrough.
func (c *Config) Inactive(active []string) Problems {
	f := inactive{active: make([][]string, len(active))}
	for i, path := range active {
		f.active[i] = strings.Split(path, ".")
	}
	f.walk(c.tree, "", nil)
	if !slices.Contains(active, passthrough) {
		f.passthroughs(c)
	}
	return f.found.sorted(c.Paths)
}

type inactive struct {
	active [][]string
	found  Problems
}

// passthroughs finds the entries of access lists that grant nothing yet.
func (f *inactive) passthroughs(c *Config) {
	for _, name := range sortedKeys(c.Callers) {
		if f.use([]string{"callers", name, "access"}) != used {
			continue // listed as a whole
		}
		for i, a := range c.Callers[name].Access {
			if a.Credential == passthrough {
				path := index(join("callers", name)+".access", i)
				f.found = append(f.found, Problem{lookup(c.tree, path), path, "is not active yet: credential passthrough is checked but grants nothing"})
			}
		}
	}
}

// walk descends to the highest mappings and values that nothing uses.
func (f *inactive) walk(t tree, path string, keys []string) {
	for _, key := range sortedKeys(t) {
		if key == self {
			continue
		}
		below := append(slices.Clone(keys), key)
		normal := serviceKeys(below)
		sub, isTree := t[key].(tree)
		switch f.use(normal) {
		case used:
		case partly:
			if isTree {
				f.walk(sub, join(path, key), below)
			}
		case unused:
			if written(t[key]) {
				f.found = append(f.found, Problem{firstWritten(t[key]), join(path, key), "is not active yet: it is checked but has no effect"})
			}
		}
	}
}

// serviceKeys turns defaults.X and environments.E.services.S.X into
// services.S.X.
func serviceKeys(keys []string) []string {
	switch {
	case keys[0] == "defaults":
		return append([]string{"services", "*"}, keys[1:]...)
	case len(keys) > 3 && keys[0] == "environments" && keys[2] == "services":
		return keys[2:]
	default:
		return keys
	}
}

type usage int8

const (
	unused usage = iota
	partly       // something below it is used
	used
)

func (f *inactive) use(keys []string) usage {
	best := unused
	for _, active := range f.active {
		n := min(len(active), len(keys))
		match := true
		for i := range n {
			match = match && (active[i] == keys[i] || active[i] == "*" || keys[i] == "*")
		}
		switch {
		case match && len(active) <= len(keys):
			return used
		case match:
			best = partly
		}
	}
	if len(keys) <= 3 && (keys[0] == "environments" || keys[0] == "services") && best == unused {
		return f.container(keys)
	}
	return best
}

// container keeps descending through the mappings by name that lead to
// settings of services.
func (f *inactive) container(keys []string) usage {
	if keys[0] == "services" && len(keys) <= 2 || keys[0] == "environments" && (len(keys) <= 2 || keys[2] == "services") {
		return partly
	}
	return unused
}

func written(v any) bool { return firstWritten(v).written() }

// firstWritten returns the place of the first value that an operator gave.
func firstWritten(v any) Origin {
	if l, ok := v.(leaf); ok {
		return l.At
	}
	if at := originOf(v); at.written() {
		return at
	}
	t, _ := v.(tree)
	for _, key := range sortedKeys(t) {
		if at := firstWritten(t[key]); key != self && at.written() {
			return at
		}
	}
	return Origin{}
}
