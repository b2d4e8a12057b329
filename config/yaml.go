package config

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// EncodeYAML writes v as YAML with the names that its JSON form has.
func EncodeYAML(w io.Writer, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding: %w", err)
	}
	var node yaml.Node // keeps the order of the fields
	if err := yaml.Unmarshal(text, &node); err != nil {
		return fmt.Errorf("encoding: %w", err)
	}
	blockStyle(&node)
	e := yaml.NewEncoder(w)
	e.SetIndent(2)
	if err := e.Encode(&node); err != nil {
		return fmt.Errorf("encoding: %w", err)
	}
	return e.Close()
}

// blockStyle undoes the flow style and the quotes of JSON, but for words that
// YAML 1.1 takes for booleans.
func blockStyle(n *yaml.Node) {
	switch strings.ToLower(n.Value) {
	case "y", "n", "yes", "no", "on", "off":
	default:
		n.Style = 0
	}
	for _, child := range n.Content {
		blockStyle(child)
	}
}
