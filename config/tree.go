package config

// tree is a mapping of a configuration before it has types: its values are
// trees and leaves. The empty key, which no mapping can have, holds a leaf with
// the place of the mapping itself.
//
// It is the form that koanf merges: mappings by key, everything else replaced.
type tree = map[string]any

const self = ""

// leaf is a scalar or a list. Its fields are exported for koanf, which copies
// values by reflection.
type leaf struct {
	Text   string // the node's literal text, whatever YAML takes it for
	List   bool
	Items  []any // of a list: trees and leaves
	Short  bool  // the value of a shorthand, written where its mapping belongs
	Broken bool  // already reported, stands for a value of any kind
	At     Origin
}

// originOf returns the place of a tree or leaf.
func originOf(v any) Origin {
	switch v := v.(type) {
	case leaf:
		return v.At
	case tree:
		if at, ok := v[self].(leaf); ok {
			return at.At
		}
	}
	return Origin{}
}

// place gives mappings that no file holds the place of the first value in them:
// a variable or a flag makes all mappings above it.
func place(t tree) {
	for _, v := range t {
		if below, ok := v.(tree); ok {
			place(below)
		}
	}
	if at := firstWritten(t); at.written() && !originOf(t).written() {
		t[self] = leaf{At: at}
	}
}

// subtree returns the mapping at the path, nil when there is none.
func subtree(t tree, path ...string) tree {
	for _, key := range path {
		next, ok := t[key].(tree)
		if !ok {
			return nil
		}
		t = next
	}
	return t
}

// copyTree copies mappings; leaves are never changed and stay shared.
func copyTree(t tree) tree {
	c := make(tree, len(t))
	for key, v := range t {
		if sub, ok := v.(tree); ok {
			v = copyTree(sub)
		}
		c[key] = v
	}
	return c
}

// layerProvider hands one layer to koanf. It copies, because koanf merges into
// the maps that it was given.
type layerProvider tree

// Read implements koanf.Provider.
func (p layerProvider) Read() (map[string]any, error) { return copyTree(tree(p)), nil }

// ReadBytes implements koanf.Provider; there are no bytes.
func (p layerProvider) ReadBytes() ([]byte, error) { return nil, errNoBytes }
