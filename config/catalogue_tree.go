package config

import (
	"fmt"
	"maps"

	"go.yaml.in/yaml/v3"
)

// settings is a tree of settings whose scalars keep their literal text.
type settings map[string]any

// UnmarshalYAML implements [yaml.Unmarshaler].
func (s *settings) UnmarshalYAML(node *yaml.Node) error {
	value, err := literal(node)
	if err != nil {
		return err
	}
	tree, ok := value.(map[string]any)
	if !ok {
		return fmt.Errorf("line %d: settings are a mapping", node.Line)
	}
	*s = tree
	return nil
}

// literal turns a node into maps, lists and the text of scalars. It serves the
// embedded file alone, which a test keeps free of alias bombs.
func literal(node *yaml.Node) (any, error) {
	switch node.Kind {
	case yaml.AliasNode:
		return literal(node.Alias)
	case yaml.ScalarNode:
		return node.Value, nil
	case yaml.SequenceNode:
		elements := make([]any, 0, len(node.Content))
		for _, child := range node.Content {
			element, err := literal(child)
			if err != nil {
				return nil, err
			}
			elements = append(elements, element)
		}
		return elements, nil
	case yaml.MappingNode:
		return literalMap(node)
	default:
		return nil, fmt.Errorf("line %d: unexpected kind of node", node.Line)
	}
}

func literalMap(node *yaml.Node) (any, error) {
	own, merged := make(map[string]any), make(map[string]any)
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := node.Content[i].Value
		value, err := literal(node.Content[i+1])
		if err != nil {
			return nil, err
		}
		if _, repeated := own[key]; repeated {
			return nil, fmt.Errorf("line %d: key %q is repeated", node.Content[i].Line, key)
		}
		if tree, ok := value.(map[string]any); ok && key == "<<" {
			merged = tree
			continue
		}
		own[key] = value
	}
	maps.Copy(merged, own)
	return merged, nil
}

// overlay writes special over general: maps merge, all else is replaced.
func overlay(general, special map[string]any) {
	for key, value := range special {
		inner, isMap := value.(map[string]any)
		below, hasMap := general[key].(map[string]any)
		if isMap && hasMap {
			overlay(below, inner)
			continue
		}
		general[key] = cloneValue(value)
	}
}

// clone copies a tree; of nil it makes an empty one.
func clone(tree map[string]any) map[string]any {
	copied := make(map[string]any, len(tree)+1)
	for key, value := range tree {
		copied[key] = cloneValue(value)
	}
	return copied
}

func cloneValue(value any) any {
	switch v := value.(type) {
	case map[string]any:
		return clone(v)
	case []any:
		copied := make([]any, len(v))
		for i, element := range v {
			copied[i] = cloneValue(element)
		}
		return copied
	default:
		return v
	}
}

// list returns a list of its own, also of nothing.
func list(value any) []any {
	elements, _ := value.([]any)
	return append([]any(nil), elements...)
}

func anys(elements []string) []any {
	out := make([]any, len(elements))
	for i, e := range elements {
		out[i] = e
	}
	return out
}

func texts(value any) []string {
	var out []string
	for _, element := range list(value) {
		if text, ok := element.(string); ok {
			out = append(out, text)
		}
	}
	return out
}

func plainMaps(trees map[string]settings) map[string]map[string]any {
	out := make(map[string]map[string]any, len(trees))
	for name, tree := range trees {
		out[name] = tree
	}
	return out
}
