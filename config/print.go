package config

import (
	"fmt"
	"io"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"

	"iqgateway/internal/secret"
)

// PrintOptions is how a configuration is printed.
type PrintOptions struct {
	// Sources adds to each value where it comes from.
	Sources bool
}

// Print writes the configuration as YAML in the order of the schema, defaults
// included. Secrets are their references, literal ones ***. Services stand as
// they were written; [EffectiveService.Print] shows what holds in the end.
func (c *Config) Print(w io.Writer, o PrintOptions) error {
	p := printer{c.schema, o}
	return p.write(w, p.mapping(reflect.TypeFor[Document](), c.tree, true, nil))
}

// Print writes the merged settings of a service as YAML, as [Config.Print]
// does.
func (s *EffectiveService) Print(w io.Writer, o PrintOptions) error {
	p := printer{newSchema(), o}
	return p.write(w, p.mapping(reflect.TypeFor[Service](), s.tree, true, s.notes))
}

type printer struct {
	schema  *schema
	options PrintOptions
}

func (p printer) write(w io.Writer, n *yaml.Node) error {
	encoder := yaml.NewEncoder(w)
	encoder.SetIndent(2)
	if err := encoder.Encode(n); err != nil {
		return fmt.Errorf("printing the configuration: %w", err)
	}
	return encoder.Close() //nolint:wrapcheck // it only flushes to w
}

// node returns v, a value of type t, as YAML; nil when there is nothing to
// print. Complete mappings show their defaults.
func (p printer) node(t reflect.Type, v any, complete bool) *yaml.Node {
	k, t := kindOf(t)
	l, isLeaf := v.(leaf)
	mapping, _ := v.(tree)
	switch {
	case k == kindScalar && isLeaf:
		return p.comment(p.scalar(t, l.Text), l.At)
	case k == kindList && isLeaf:
		return p.list(t, l)
	case k == kindNames:
		n := &yaml.Node{Kind: yaml.MappingNode}
		for _, name := range sortedKeys(mapping) {
			if name != self {
				p.add(n, name, p.node(t.Elem(), mapping[name], complete))
			}
		}
		return n
	case k == kindMapping:
		return p.mapping(t, mapping, complete && t != reflect.TypeFor[Service](), nil)
	default:
		return nil
	}
}

func (p printer) mapping(t reflect.Type, mapping tree, complete bool, notes map[string]string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for _, f := range p.schema.of(t).fields {
		v, given := mapping[f.key]
		k, inner := kindOf(f.typ)
		switch {
		case !given && !complete:
			continue
		case !given && f.rule.hasDef:
			v = defaultOf(f)
		case !given && k == kindMapping && f.typ.Kind() == reflect.Struct:
			v = tree{}
		case !given:
			continue
		}
		if k == kindMapping && notes != nil {
			below, _ := v.(tree)
			p.add(n, f.key, p.mapping(inner, below, complete, notesBelow(notes, f.key)))
			continue
		}
		value := p.node(f.typ, v, complete)
		if note := notes[f.key]; note != "" && p.options.Sources && value != nil {
			value.LineComment += note
		}
		p.add(n, f.key, value)
	}
	return n
}

func notesBelow(notes map[string]string, key string) map[string]string {
	below := map[string]string{}
	for path, note := range notes {
		if rest, ok := strings.CutPrefix(path, key+"."); ok {
			below[rest] = note
		}
	}
	return below
}

func (p printer) add(n *yaml.Node, key string, value *yaml.Node) {
	if value == nil {
		return
	}
	if value.Kind == yaml.MappingNode && len(value.Content) == 0 {
		value.Style = yaml.FlowStyle
	}
	n.Content = append(n.Content, text(key), value)
}

// text returns a node that reads back as exactly this text.
func text(s string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
	switch strings.ToLower(s) {
	case "y", "n", "yes", "no", "on", "off": // booleans of YAML 1.1, which others may read it with
		n.Style = yaml.DoubleQuotedStyle
	}
	return n
}

func (p printer) scalar(t reflect.Type, value string) *yaml.Node {
	switch t {
	case reflect.TypeFor[Secret](), reflect.TypeFor[Key]():
		if value != "" && !strings.HasPrefix(value, "${") {
			value = secret.Mask
		}
	case reflect.TypeFor[ProxyURL]():
		value = withoutUser(value)
	case reflect.TypeFor[bool](), reflect.TypeFor[int](), reflect.TypeFor[Amount](), reflect.TypeFor[Ratio]():
		return &yaml.Node{Kind: yaml.ScalarNode, Value: value}
	}
	return text(value)
}

// withoutUser masks the user and password of a URL.
func withoutUser(value string) string {
	scheme, rest, _ := strings.Cut(value, "://")
	end := strings.IndexByte(rest+"/", '/')
	if at := strings.LastIndexByte(rest[:end], '@'); at >= 0 {
		return scheme + "://" + secret.Mask + rest[at:]
	}
	return value
}

func (p printer) list(t reflect.Type, l leaf) *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode}
	k, _ := kindOf(t.Elem())
	for _, item := range l.Items {
		value := p.node(t.Elem(), item, true)
		if value == nil {
			continue
		}
		if k == kindScalar {
			value.LineComment = "" // one for the whole list
		}
		n.Content = append(n.Content, value)
	}
	if k != kindScalar && len(n.Content) > 0 {
		return n // its entries have their own comments
	}
	n.Style = yaml.FlowStyle
	return p.comment(n, l.At)
}

func (p printer) comment(n *yaml.Node, at Origin) *yaml.Node {
	if p.options.Sources {
		n.LineComment = at.String()
	}
	return n
}
