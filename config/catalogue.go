package config

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"slices"

	"go.yaml.in/yaml/v3"
)

//go:embed catalogue.yaml
var catalogueYAML []byte

// API is one interface that the provider documents or lists.
type API struct {
	// Name as the provider writes it.
	Name string `yaml:"name"`
	// Services that offer it. Most have one; the same API may lie on several
	// regional hosts.
	Services []string `yaml:"services"`
	// Aliases stand for the first of the services wherever a service is named.
	Aliases []string `yaml:"aliases"`
	// Document is the URL of the provider's page about it.
	Document string `yaml:"document"`
}

// catalogue is the built-in knowledge of environments, services and APIs, the
// layer between defaults: and services: of the configuration. Nothing in it is
// written after [builtin] returned.
type catalogue struct {
	// Domain ends every host name of the provider.
	Domain string
	// Suffixes end every host stem of a built-in environment, by its name.
	Suffixes map[string]string
	// APIs in the order of the file.
	APIs []API
	// Published names, per service, the environments whose host the provider or
	// a captured answer shows. Other hosts follow from the naming rule.
	Published map[string][]string

	denied   []string        // patterns, on every service
	services map[string]tree // settings in every environment
	// exceptions are the settings that differ in one environment, by
	// environment and service.
	exceptions map[string]map[string]tree
}

// builtin reads the embedded catalogue. An error means a broken build; a test
// keeps the embedded file sound.
func builtin() (*catalogue, error) {
	c, err := parseCatalogue(catalogueYAML)
	if err != nil {
		return nil, fmt.Errorf("built-in catalogue: %w", err)
	}
	return c, nil
}

// catalogueFile is catalogue.yaml as it is written.
type catalogueFile struct {
	Domain       string   `yaml:"domain"`
	Portal       string   `yaml:"portal"`
	Denied       []string `yaml:"denied"`
	Environments map[string]struct {
		Suffix   string               `yaml:"suffix"`
		Services map[string]yaml.Node `yaml:"services"`
	} `yaml:"environments"`
	APIs     []API                `yaml:"apis"`
	Services map[string]yaml.Node `yaml:"services"`
}

func parseCatalogue(text []byte) (*catalogue, error) {
	var file catalogueFile
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil {
		return nil, fmt.Errorf("not readable: %w", err)
	}
	var found report
	s := &shaper{schema: newSchema(), report: &found, origin: catalogueOrigin}
	c := &catalogue{
		Domain:     file.Domain,
		Suffixes:   make(map[string]string, len(file.Environments)),
		APIs:       file.APIs,
		Published:  make(map[string][]string, len(file.Services)),
		denied:     file.Denied,
		services:   shapeSettings(s, file.Services, "services"),
		exceptions: make(map[string]map[string]tree, len(file.Environments)),
	}
	for name, e := range file.Environments {
		c.Suffixes[name] = e.Suffix
		c.exceptions[name] = shapeSettings(s, e.Services, join("environments", name)+".services")
	}
	for i := range c.APIs {
		c.APIs[i].Document = "https://" + file.Portal + c.APIs[i].Document
	}
	if len(found.errors) > 0 {
		return nil, found.errors
	}
	return c, errors.Join(c.readPublished(file.Services), c.checkAliases(), c.attachAPIs())
}

// readPublished reads the evidence, of which the schema knows nothing.
func (c *catalogue) readPublished(services map[string]yaml.Node) error {
	for _, name := range c.Names() {
		var evidence struct {
			Published []string `yaml:"x-published"`
		}
		node := services[name]
		if err := node.Decode(&evidence); err != nil {
			return fmt.Errorf("service %q: %w", name, err)
		}
		for _, environment := range evidence.Published {
			if _, known := c.Suffixes[environment]; !known {
				return fmt.Errorf("service %q: x-published names %q, which is not in environments", name, environment)
			}
		}
		c.Published[name] = evidence.Published
	}
	return nil
}

// checkAliases refuses a name with two meanings.
func (c *catalogue) checkAliases() error {
	owners := make(map[string]string, len(c.services))
	for name := range c.services {
		owners[name] = name
	}
	var problems []error
	for _, api := range c.APIs {
		for _, alias := range api.Aliases {
			if owner, taken := owners[alias]; taken {
				problems = append(problems, fmt.Errorf("API %q: alias %q already stands for %q", api.Name, alias, owner))
			}
			owners[alias] = api.Name
		}
	}
	return errors.Join(problems...)
}

// attachAPIs gives each service the names of its APIs, the page of the first
// of them, and to an API's first service its aliases.
func (c *catalogue) attachAPIs() error {
	var problems []error
	for _, api := range c.APIs {
		for i, name := range api.Services {
			service, known := c.services[name]
			if !known {
				problems = append(problems, fmt.Errorf("API %q: service %q is not in services", api.Name, name))
				continue
			}
			service["apis"] = appended(service["apis"], api.Name)
			if service["document"] == nil {
				service["document"] = leaf{Text: api.Document, At: Origin{Layer: layerCatalogue, Name: "catalogue.yaml"}}
			}
			if i == 0 {
				service["aliases"] = appended(service["aliases"], api.Aliases...)
			}
		}
	}
	return errors.Join(problems...)
}

// Names returns the services of the catalogue, sorted.
func (c *catalogue) Names() []string { return sortedKeys(c.services) }

// Settings returns what the catalogue says about a service in an environment;
// it need know neither of them. The mappings belong to the caller.
func (c *catalogue) Settings(environment, service string) tree {
	merged := tree{}
	overlay(merged, c.services[service])
	overlay(merged, c.exceptions[environment][service])
	merged["denied"] = appended(merged["denied"], c.denied...)
	return merged
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
