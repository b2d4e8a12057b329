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
var catalogueYAML []byte //nolint:gochecknoglobals // embedding needs a package variable; nothing writes it

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
	// Environments by name.
	Environments map[string]catalogueEnvironment
	// APIs in the order of the file.
	APIs []API
	// Published names, per service, the environments whose host the provider or
	// a captured answer shows. Other hosts follow from the naming rule.
	Published map[string][]string

	denied   []any
	services map[string]map[string]any
}

// catalogueEnvironment is one built-in environment.
type catalogueEnvironment struct {
	// Suffix ends every host stem.
	Suffix string
	// Services are the settings that differ from those of other environments.
	Services map[string]map[string]any
}

// builtin reads the embedded catalogue. Settings are trees of map[string]any,
// []any and the literal text of scalars, as from a configuration file. An
// error means a broken build; a test keeps the embedded file sound.
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
		Suffix   string              `yaml:"suffix"`
		Services map[string]settings `yaml:"services"`
	} `yaml:"environments"`
	APIs     []API               `yaml:"apis"`
	Services map[string]settings `yaml:"services"`
}

func parseCatalogue(text []byte) (*catalogue, error) {
	var file catalogueFile
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil {
		return nil, fmt.Errorf("not readable: %w", err)
	}
	c := &catalogue{
		Domain:       file.Domain,
		Environments: make(map[string]catalogueEnvironment, len(file.Environments)),
		APIs:         file.APIs,
		Published:    make(map[string][]string, len(file.Services)),
		denied:       anys(file.Denied),
		services:     plainMaps(file.Services),
	}
	for name, e := range file.Environments {
		c.Environments[name] = catalogueEnvironment{Suffix: e.Suffix, Services: plainMaps(e.Services)}
	}
	for name, s := range c.services {
		c.Published[name] = texts(s["published"])
		delete(s, "published") // no setting, but evidence
	}
	for i := range c.APIs {
		c.APIs[i].Document = "https://" + file.Portal + c.APIs[i].Document
	}
	return c, c.attachAPIs()
}

// attachAPIs gives each service the names, aliases and document of its APIs,
// and refuses a name with two meanings.
func (c *catalogue) attachAPIs() error {
	owners := make(map[string]string, len(c.services))
	for name := range c.services {
		owners[name] = name
	}
	var problems []error
	for _, api := range c.APIs {
		for i, name := range api.Services {
			service, known := c.services[name]
			if !known {
				problems = append(problems, fmt.Errorf("API %q: service %q is not in services", api.Name, name))
				continue
			}
			service["apis"] = append(list(service["apis"]), api.Name)
			if service["document"] == nil {
				service["document"] = api.Document
			}
			if i == 0 {
				service["aliases"] = append(list(service["aliases"]), anys(api.Aliases)...)
			}
		}
		for _, alias := range api.Aliases {
			if owner, taken := owners[alias]; taken {
				problems = append(problems, fmt.Errorf("API %q: alias %q already stands for %q", api.Name, alias, owner))
				continue
			}
			owners[alias] = api.Name
		}
	}
	return errors.Join(problems...)
}

// Names returns the services of the catalogue, sorted.
func (c *catalogue) Names() []string { return slices.Sorted(maps.Keys(c.services)) }

// Settings returns what the catalogue says about a service in an environment;
// neither need be known to it. The caller owns the result.
func (c *catalogue) Settings(environment, service string) map[string]any {
	merged := clone(c.services[service])
	merged["denied"] = append(list(merged["denied"]), c.denied...)
	overlay(merged, c.Environments[environment].Services[service])
	return merged
}
