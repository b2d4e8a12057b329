package config

import (
	"errors"
	"fmt"
)

// builtInLayer is the catalogue, ready to be merged. Loading never changes it.
type builtInLayer struct {
	*catalogue
	document tree              // environments, without their services
	names    map[string]string // services by name and alias
}

func newBuiltInLayer() (*builtInLayer, error) {
	c, err := builtin()
	if err != nil {
		return nil, err
	}
	at := Origin{Layer: layerCatalogue}
	environments := make(tree, len(c.Suffixes))
	for name, suffix := range c.Suffixes {
		environments[name] = tree{self: leaf{At: at}, "suffix": leaf{Text: suffix, At: at}}
	}
	b := &builtInLayer{
		catalogue: c,
		document:  tree{"environments": environments},
		names:     make(map[string]string, 2*len(c.services)),
	}
	return b, b.collectNames()
}

// collectNames refuses aliases with two meanings.
func (b *builtInLayer) collectNames() error {
	var problems []error
	for name := range b.services {
		b.names[name] = name
	}
	for _, name := range b.Names() {
		aliases, _ := b.services[name]["aliases"].(leaf)
		for _, item := range aliases.Items {
			alias, _ := item.(leaf)
			if owner, taken := b.names[alias.Text]; taken && owner != name {
				problems = append(problems, fmt.Errorf("built-in catalogue: alias %q stands for %s and %s", alias.Text, owner, name))
			}
			b.names[alias.Text] = name
		}
	}
	return errors.Join(problems...)
}

// resolveAliases renames settings that stand under an alias of the catalogue to
// the service's name.
func (b *builtInLayer) resolveAliases(r *report, document tree) {
	b.renameServices(r, subtree(document, "services"), "services")
	for name, e := range subtree(document, "environments") {
		if environment, ok := e.(tree); ok {
			b.renameServices(r, subtree(environment, "services"), join("environments", name)+".services")
		}
	}
}

func (b *builtInLayer) renameServices(r *report, services tree, path string) {
	for _, alias := range sortedKeys(services) {
		name, known := b.names[alias]
		if alias == self || !known || name == alias {
			continue
		}
		if other, both := services[name]; both {
			r.errorf(originOf(services[alias]), join(path, alias), "is another name of %s, which also has settings in %s: write one of them",
				name, originOf(other))
			continue
		}
		services[name] = services[alias]
		delete(services, alias)
	}
}
