package config

import (
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// variablePrefix begins every environment variable that is a setting;
// variableJoin stands between the keys of its path. A variable without the
// latter is not a setting.
const (
	variablePrefix = "IQGW_"
	variableJoin   = "__"
	pathDelimiter  = "\x00" // no key can hold it, as koanf splits paths at it
)

// variableOf returns the variable that sets the key path.
func variableOf(path string) string {
	return variablePrefix + strings.ToUpper(strings.NewReplacer(".", variableJoin, "-", "_").Replace(path))
}

// byVariable says which variable sets the value at a path; those in a list are
// set with the list.
func byVariable(path string) string {
	list, _, within := strings.Cut(path, "[")
	if within {
		return "the whole list with the variable " + variableOf(list)
	}
	return "the variable " + variableOf(path)
}

// overrides turns variables and flags, which are single texts, into leaves of
// the schema.
type overrides struct {
	shaper *shaper
	seen   map[string]Origin // by key path
}

// variable serves koanf's provider of environment variables: it returns the
// delimited key path of a variable and its leaf, or nothing for a variable that
// is no setting or a wrong one.
func (o *overrides) variable(name, text string) (string, any) {
	rest := strings.TrimPrefix(name, variablePrefix)
	if !strings.Contains(rest, variableJoin) {
		return "", nil
	}
	keys := strings.Split(strings.ToLower(rest), variableJoin)
	return o.override(keys, text, Origin{layerVariable, name, 0}, true)
}

// flag serves a flag, whose name is the key path with dots.
func (o *overrides) flag(path, text string) (string, any) {
	return o.override(strings.Split(path, "."), text, Origin{layerFlag, path, 0}, false)
}

// override walks down the schema along keys and reads text as what stands
// there. In a variable _ stands for the - of names.
func (o *overrides) override(keys []string, text string, at Origin, plain bool) (string, any) {
	t, path := reflect.TypeFor[Document](), ""
	for i, key := range keys {
		k, inner := kindOf(t)
		switch k {
		case kindMapping:
			m := o.shaper.schema.of(inner)
			f, known := m.find(key)
			if !known {
				o.shaper.report.errorf(at, join(path, key), "unknown key%s: %s", didYouMean(key, m.keys()), knownKeys(path, m))
				return "", nil
			}
			t = f.typ
		case kindNames:
			if plain {
				key = strings.ReplaceAll(key, "_", "-")
			}
			if !isName(key) {
				o.shaper.report.errorf(at, join(path, key), "is no name: use a-z, 0-9 and -")
				return "", nil
			}
			t = inner.Elem()
		case kindList, kindScalar:
			o.shaper.report.errorf(at, join(path, key), "%s has no keys below it; a list is set as a whole, a, b or [a, b]", path)
			return "", nil
		}
		keys[i], path = key, join(path, key)
	}
	return o.leaf(t, keys, text, at, path)
}

func (o *overrides) leaf(t reflect.Type, keys []string, text string, at Origin, path string) (string, any) {
	k, t := kindOf(t)
	if k == kindMapping {
		if m := o.shaper.schema.of(t); m.shorthand != "" {
			f, _ := m.find(m.shorthand)
			t, keys, path = f.typ, append(slices.Clone(keys), m.shorthand), join(path, m.shorthand)
			k = kindScalar
		}
	}
	if k == kindMapping || k == kindNames {
		o.shaper.report.errorf(at, path, "is a mapping: set the keys below it one by one, such as %s%sKEY", variableOf(path), variableJoin)
		return "", nil
	}
	if first, twice := o.seen[path]; twice {
		o.shaper.report.errorf(at, path, "is also set by %s: remove one", first)
		return "", nil
	}
	o.seen[path] = at
	if k == kindScalar {
		return strings.Join(keys, pathDelimiter), leaf{Text: text, At: at}
	}
	return strings.Join(keys, pathDelimiter), o.list(t, text, at, path)
}

// list reads "a, b" or a YAML flow sequence.
func (o *overrides) list(t reflect.Type, text string, at Origin, path string) any {
	if strings.HasPrefix(strings.TrimSpace(text), "[") {
		var n yaml.Node
		if err := parseYAML([]byte(text), &n); err != nil {
			o.shaper.report.errorf(at, path, "is no YAML list: %v", err)
			return leaf{Broken: true, At: at}
		}
		s := *o.shaper
		s.origin = fixedOrigin(at)
		return s.shape(t, n.Content[0], path)
	}
	if k, _ := kindOf(t.Elem()); k != kindScalar && strings.TrimSpace(text) != "" {
		o.shaper.report.errorf(at, index(path, 0), "is a single value, expected a mapping: write a list of them, [{key: value}]")
		return leaf{Broken: true, At: at}
	}
	l := leaf{List: true, At: at}
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			l.Items = append(l.Items, leaf{Text: item, At: at})
		}
	}
	return l
}
