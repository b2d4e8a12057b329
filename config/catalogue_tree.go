package config

import (
	"reflect"

	"go.yaml.in/yaml/v3"
)

// shapeSettings reads the services of the catalogue as strictly as those of a
// configuration, in name order. What it finds amiss is in the report.
func shapeSettings(s *shaper, nodes map[string]yaml.Node, path string) map[string]tree {
	settings := make(map[string]tree, len(nodes))
	for _, name := range sortedKeys(nodes) {
		at := join(path, name)
		node := nodes[name]
		if !isName(name) {
			s.report.errorf(s.origin(&node), at, "is no name")
		}
		t, _ := s.shape(reflect.TypeFor[Service](), &node, at).(tree)
		settings[name] = t
	}
	return settings
}

func catalogueOrigin(n *yaml.Node) Origin {
	return Origin{Layer: layerCatalogue, Name: "catalogue.yaml", Line: n.Line}
}

// overlay writes special over general: mappings merge, all else is replaced.
// Afterwards they have nothing in common but leaves, which never change.
func overlay(general, special tree) {
	for key, value := range special {
		inner, isTree := value.(tree)
		if !isTree {
			general[key] = value
			continue
		}
		if below, ok := general[key].(tree); ok {
			overlay(below, inner)
			continue
		}
		general[key] = copyTree(inner)
	}
}

// appended returns the list that value holds, if any, with texts behind it.
func appended(value any, texts ...string) leaf {
	old, _ := value.(leaf)
	l := leaf{List: true, At: Origin{Layer: layerCatalogue, Name: "catalogue.yaml", Line: old.At.Line}}
	l.Items = append(l.Items, old.Items...)
	for _, text := range texts {
		l.Items = append(l.Items, leaf{Text: text, At: l.At})
	}
	return l
}
