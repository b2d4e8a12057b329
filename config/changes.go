package config

import (
	"slices"
	"strings"

	"iqgateway/internal/secret"
)

// Changes returns the key paths of what is written differently than in before,
// sorted: server.lame_duck, callers.storefront.keys. A list counts as one. Values
// are not among them, and what references lead to is not compared.
func (c *Config) Changes(before *Config) []string {
	var paths []string
	changesBelow(c.tree, before.tree, "", &paths)
	slices.Sort(paths)
	return paths
}

// Rotated returns the key paths of the secrets that are written as in before, but
// whose references lead to something else, sorted: admin.token. A list counts as
// one.
func (c *Config) Rotated(before *Config) []string {
	written := c.Changes(before)
	var paths []string
	for path, text := range c.secrets {
		list, _, _ := strings.Cut(path, "[")
		if then, was := before.secrets[path]; was && !text.Equal(then) && !slices.Contains(written, list) {
			paths = append(paths, list)
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// secrets are the texts of a configuration that are not printed, by key path.
type secrets map[string]secret.Text

func changesBelow(now, then tree, path string, paths *[]string) {
	for key, v := range now {
		if key != self {
			compareAt(v, then[key], join(path, key), paths)
		}
	}
	for key, v := range then {
		if _, still := now[key]; !still && key != self {
			compareAt(nil, v, join(path, key), paths)
		}
	}
}

// compareAt notes the paths at which two values differ; nil stands for none.
func compareAt(now, then any, path string, paths *[]string) {
	nowTree, nowIs := now.(tree)
	thenTree, thenIs := then.(tree)
	switch {
	case nowIs && (thenIs || then == nil), thenIs && now == nil:
		changesBelow(nowTree, thenTree, path, paths)
	case !sameValue(now, then):
		*paths = append(*paths, path)
	}
}

// sameValue reports whether two values are written alike, wherever they stand.
func sameValue(a, b any) bool {
	switch a := a.(type) {
	case leaf:
		b, ok := b.(leaf)
		return ok && a.Text == b.Text && a.List == b.List && slices.EqualFunc(a.Items, b.Items, sameValue)
	case tree:
		b, ok := b.(tree)
		if !ok {
			return false
		}
		var different []string
		changesBelow(a, b, "", &different)
		return len(different) == 0
	default:
		return a == nil && b == nil
	}
}
