package config

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Difference is one setting that two configurations have otherwise.
type Difference struct {
	Path string `json:"path"`
	Old  string `json:"old"` // "" = there is none
	New  string `json:"new"` // "" = there is none
}

// Diff compares two configurations as [Config.Print] writes them: settings by their
// key path, lists as one. What is printed alike, as two literal secrets are, is the
// same.
func Diff(before, after string) ([]Difference, error) {
	var was, is yaml.Node
	if err := yaml.Unmarshal([]byte(before), &was); err != nil {
		return nil, fmt.Errorf("the old configuration: %w", err)
	}
	if err := yaml.Unmarshal([]byte(after), &is); err != nil {
		return nil, fmt.Errorf("the new configuration: %w", err)
	}
	old, fresh := map[string]string{}, map[string]string{}
	flatten(&was, "", old)
	flatten(&is, "", fresh)
	differences := []Difference{}
	for path, text := range fresh {
		if old[path] != text {
			differences = append(differences, Difference{path, old[path], text})
		}
	}
	for path, text := range old {
		if _, still := fresh[path]; !still {
			differences = append(differences, Difference{Path: path, Old: text})
		}
	}
	slices.SortFunc(differences, func(a, b Difference) int { return strings.Compare(a.Path, b.Path) })
	return differences, nil
}

// flatten notes the text of each value by its key path.
func flatten(n *yaml.Node, path string, into map[string]string) {
	switch {
	case n.Kind == yaml.DocumentNode && len(n.Content) == 1:
		flatten(n.Content[0], path, into)
	case n.Kind == yaml.MappingNode && len(n.Content) > 0:
		for i := 0; i+1 < len(n.Content); i += 2 {
			flatten(n.Content[i+1], join(path, n.Content[i].Value), into)
		}
	default:
		into[path] = inline(n)
	}
}

// inline writes a value on one line.
func inline(n *yaml.Node) string {
	var parts []string
	switch n.Kind {
	case yaml.SequenceNode:
		for _, item := range n.Content {
			parts = append(parts, inline(item))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			parts = append(parts, n.Content[i].Value+": "+inline(n.Content[i+1]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	default:
		return n.Value
	}
}
