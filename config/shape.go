package config

import (
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Bounds on what one document may make of us, far above any real one.
const (
	maxFile   = 1 << 20 // bytes
	maxValues = 100_000 // values after aliases are followed
	maxMerges = 16      // << inside <<
)

// shaper turns YAML nodes into a tree, checking them against the schema: keys,
// kinds, names, repetitions. What the texts mean is checked later, on the
// merged tree, by [decoder].
type shaper struct {
	schema *schema
	report *report
	origin func(*yaml.Node) Origin
	values int // made so far
	full   bool
}

func fileOrigin(name string) func(*yaml.Node) Origin {
	return func(n *yaml.Node) Origin { return Origin{layerFile, name, n.Line} }
}

func fixedOrigin(at Origin) func(*yaml.Node) Origin {
	return func(*yaml.Node) Origin { return at }
}

// shape returns the tree or leaf that n stands for where a value of type t is
// expected; a broken leaf when it is none.
func (s *shaper) shape(t reflect.Type, n *yaml.Node, path string) any {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if s.values++; s.values > maxValues {
		if !s.full {
			s.full = true
			s.report.errorf(s.origin(n), path, "the document has more than %d values once its aliases are followed", maxValues)
		}
		return leaf{Broken: true}
	}
	if n.Style&yaml.TaggedStyle != 0 && (!strings.HasPrefix(n.Tag, "!!") || n.Tag == "!!binary") {
		s.report.errorf(s.origin(n), path, "the tag %s has no meaning here: remove it", n.Tag)
		return leaf{Broken: true}
	}
	k, t := kindOf(t)
	switch k {
	case kindScalar:
		return s.scalar(t, n, path)
	case kindList:
		return s.list(t, n, path)
	case kindNames:
		return s.names(t, n, path)
	default:
		return s.mapping(t, n, path)
	}
}

// isNull tells a key without a value from the words null and ~, which are
// texts like any other.
func isNull(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Value == "" && n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0
}

func (s *shaper) scalar(t reflect.Type, n *yaml.Node, path string) any {
	at := s.origin(n)
	switch {
	case n.Kind != yaml.ScalarNode:
		s.report.errorf(at, path, "is a %s, expected %s", kindWord(n), notation(t))
	case isNull(n):
		s.report.errorf(at, path, "has no value, expected %s: write one, or remove the key", notation(t))
	default:
		return leaf{Text: n.Value, At: at}
	}
	return leaf{Broken: true, At: at}
}

func (s *shaper) list(t reflect.Type, n *yaml.Node, path string) any {
	at := s.origin(n)
	if n.Kind != yaml.SequenceNode {
		s.report.errorf(at, path, "is a %s, expected a list: write [ ] around it", kindWord(n))
		return leaf{Broken: true, At: at}
	}
	l := leaf{List: true, At: at}
	for i, item := range n.Content {
		if s.full {
			break
		}
		l.Items = append(l.Items, s.shape(t.Elem(), item, index(path, i)))
	}
	return l
}

// isName tells what names of environments, services, callers and the like look
// like. "-" alone is the gateway's own path.
func isName(text string) bool {
	return text != "" && len(text) <= 63 && strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == "" &&
		text[0] != '-' && text[len(text)-1] != '-'
}

func (s *shaper) names(t reflect.Type, n *yaml.Node, path string) any {
	if n.Kind != yaml.MappingNode {
		s.report.errorf(s.origin(n), path, "is a %s, expected a mapping by name: write {} for an empty one", kindWord(n))
		return leaf{Broken: true, At: s.origin(n)}
	}
	result := tree{self: leaf{At: s.origin(n)}}
	wild := t.Elem() == reflect.TypeFor[Grant]()
	for _, p := range s.pairs(n, path, 0) {
		key, at := p.key.Value, s.origin(p.key)
		switch {
		case wild && key == "*":
		case strings.HasPrefix(key, "x-"):
			s.report.errorf(at, join(path, key), "a name cannot begin with x-: put anchors at the top of the file, or where keys are fixed")
			continue
		case !isName(key):
			s.report.errorf(at, join(path, key), "is no name: use a-z, 0-9 and - (not at an end), at most 63")
			continue
		}
		result[key] = placed(s.shape(t.Elem(), p.value, join(path, key)), at)
	}
	return result
}

func (s *shaper) mapping(t reflect.Type, n *yaml.Node, path string) any {
	m := s.schema.of(t)
	if n.Kind == yaml.ScalarNode && m.shorthand != "" && !isNull(n) {
		f, _ := m.find(m.shorthand)
		short, _ := s.scalar(f.typ, n, path).(leaf)
		short.Short = true
		return tree{self: leaf{At: s.origin(n)}, m.shorthand: short}
	}
	if n.Kind != yaml.MappingNode {
		s.report.errorf(s.origin(n), path, "is a %s, expected a mapping with the keys %s", kindWord(n), strings.Join(m.keys(), ", "))
		return leaf{Broken: true, At: s.origin(n)}
	}
	result := tree{self: leaf{At: s.origin(n)}}
	for _, p := range s.pairs(n, path, 0) {
		key := p.key.Value
		if strings.HasPrefix(key, "x-") {
			continue
		}
		f, known := m.find(key)
		if !known {
			s.report.errorf(s.origin(p.key), join(path, key), "unknown key%s: %s", didYouMean(key, m.keys()), knownKeys(path, m))
			continue
		}
		result[key] = placed(s.shape(f.typ, p.value, join(path, key)), s.origin(p.key))
	}
	return result
}

// placed gives a mapping the place of its key instead of that of its first
// line; an alias stands where it is used.
func placed(v any, at Origin) any {
	if t, ok := v.(tree); ok {
		t[self] = leaf{At: at}
		return t
	}
	l, _ := v.(leaf)
	l.At = at
	return l
}

type pair struct{ key, value *yaml.Node }

// pairs returns the entries of a mapping, those of << last and only where the
// mapping does not have the key itself.
func (s *shaper) pairs(n *yaml.Node, path string, depth int) []pair {
	var own, merged []pair
	first := make(map[string]*yaml.Node, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case key.Kind != yaml.ScalarNode:
			s.report.errorf(s.origin(key), path, "a key is a %s, expected a word", kindWord(key))
		case key.Tag == "!!merge":
			merged = append(merged, s.mergedPairs(value, path, depth+1)...)
		case first[key.Value] != nil:
			s.report.errorf(s.origin(key), join(path, key.Value), "is given twice, first in line %d: remove one", first[key.Value].Line)
		default:
			first[key.Value] = key
			own = append(own, pair{key, value})
		}
	}
	for _, p := range merged {
		if first[p.key.Value] == nil {
			first[p.key.Value] = p.key
			own = append(own, p)
		}
	}
	return own
}

func (s *shaper) mergedPairs(n *yaml.Node, path string, depth int) []pair {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	s.values++
	switch {
	case depth > maxMerges || s.values > maxValues:
		s.report.errorf(s.origin(n), path, "<< goes too deep")
	case n.Kind == yaml.MappingNode:
		return s.pairs(n, path, depth)
	case n.Kind == yaml.SequenceNode:
		var all []pair
		for _, item := range n.Content {
			if item.Kind == yaml.SequenceNode {
				s.report.errorf(s.origin(item), path, "<< takes a mapping, an alias of one, or a list of those")
				continue
			}
			all = append(all, s.mergedPairs(item, path, depth+1)...)
		}
		return all
	default:
		s.report.errorf(s.origin(n), path, "<< takes a mapping, an alias of one, or a list of those")
	}
	return nil
}

func kindWord(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "mapping"
	case n.Kind == yaml.SequenceNode:
		return "list"
	case isNull(n):
		return "key without a value"
	default:
		return "single value"
	}
}

func knownKeys(path string, m mapping) string {
	where := "the top level"
	if path != "" {
		where = path
	}
	keys := m.keys()
	if len(keys) > 12 {
		return "see `gateway config schema` for what " + where + " may have"
	}
	return where + " may have " + strings.Join(keys, ", ")
}
