package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/v2"
)

// LoadOptions are the sources of a configuration.
type LoadOptions struct {
	// Path of the main file. Includes are relative to its directory.
	Path string
	// Data stands in for the content of Path when it is not nil.
	Data []byte
	// Environ is the environment as NAME=value, for settings (IQGW_…) and for
	// ${env:NAME}; nil = empty.
	Environ []string
	// Files is the file system; nil = the machine's.
	Files Files
	// Seen is told which files the configuration itself is read from, also when
	// it cannot be used; nil = nobody asks.
	Seen *Seen
	// Flags are settings by key path (server.address), above all others.
	Flags map[string]string
	// Offline follows no reference and needs no file but the configuration's
	// own. Such a Config has secrets without text: it is for checking only.
	Offline bool
	// Now decides what has expired; zero = nothing has.
	Now time.Time
}

// Config is one loaded and checked configuration. It must not be changed. Each
// Access of its callers has its environment, and services by name, not alias.
type Config struct {
	Document
	// Paths are the files that the configuration was read from, the main file
	// first; those of secrets and certificates are not among them.
	Paths []string

	environments map[string]*EffectiveEnvironment
	catalogue    *catalogue
	tree         tree
	schema       *schema
	secrets      secrets
	options      LoadOptions // that it was loaded with
}

// Load reads a configuration from all its sources and checks it as a whole.
// Warnings come with a Config; an error is of type [Problems] and holds
// everything that was found wrong, sorted by place.
func Load(o LoadOptions) (*Config, Problems, error) {
	if o.Files == nil {
		o.Files = OSFiles{}
	}
	l := &loader{options: o, schema: newSchema(), report: &report{}}
	c, err := l.load()
	if err != nil {
		return nil, nil, err
	}
	if errs := l.report.errors.sorted(l.paths); len(errs) > 0 {
		return nil, nil, errs
	}
	return c, l.report.warnings.sorted(l.paths), nil
}

// loader is the state of one Load.
type loader struct {
	options LoadOptions
	schema  *schema
	report  *report
	paths   []string
	kept    secrets // see decoder
}

func (l *loader) load() (*Config, error) {
	builtIn, err := newBuiltInLayer()
	if err != nil {
		return nil, err
	}
	merged, err := l.merge(builtIn)
	if err != nil || merged == nil {
		return nil, err
	}
	builtIn.resolveAliases(l.report, merged)
	return l.read(builtIn, merged)
}

// read decodes and checks what the sources say together. nil = the report has
// errors, or will have got them.
func (l *loader) read(builtIn *builtInLayer, merged tree) (*Config, error) {
	c := &Config{Paths: l.paths, catalogue: builtIn.catalogue, tree: merged, schema: l.schema, options: l.options}
	d := newDecoder(l.schema, l.report, l.sources())
	d.kept = l.kept
	d.decode(reflect.ValueOf(&c.Document).Elem(), merged, "", rule{}, true)
	c.secrets = d.secrets

	check := &checker{Config: c, report: l.report, builtIn: builtIn, now: l.options.Now}
	check.references()
	if len(l.report.errors) > 0 {
		return nil, nil //nolint:nilnil // the report has the errors
	}
	c.environments = (&effective{builtIn: builtIn, decoder: d, config: c}).environments()
	if len(l.report.errors) > 0 {
		return nil, nil //nolint:nilnil // the report has the errors
	}
	check.meaning()
	if len(l.report.errors) == 0 {
		c.resolveAccess(check)
	}
	return c, nil
}

// merge lays the sources over each other: built-in < files < variables <
// flags. nil = there is nothing to go on with.
func (l *loader) merge(builtIn *builtInLayer) (tree, error) {
	s := &shaper{schema: l.schema, report: l.report}
	files := &reader{files: l.options.Seen.files(l.options.Files), shaper: s}
	file := files.read(l.options.Path, l.options.Data)
	l.paths = files.names
	if file == nil || s.full {
		return nil, nil //nolint:nilnil // the report has the error
	}
	over := &overrides{shaper: s, seen: map[string]Origin{}}
	variables := env.Provider(pathDelimiter, env.Opt{
		Prefix:        variablePrefix,
		TransformFunc: over.variable,
		EnvironFunc:   func() []string { return slices.Sorted(slices.Values(l.options.Environ)) },
	})
	flags := tree{}
	for _, path := range sortedKeys(l.options.Flags) {
		if key, v := over.flag(path, l.options.Flags[path]); key != "" {
			plant(flags, strings.Split(key, pathDelimiter), v)
		}
	}
	k := koanf.New(pathDelimiter)
	for _, layer := range []koanf.Provider{layerProvider(builtIn.document), layerProvider(file), variables, layerProvider(flags)} {
		over.seen = map[string]Origin{}
		if err := k.Load(layer, nil); err != nil {
			return nil, fmt.Errorf("merging the configuration: %w", err)
		}
	}
	merged := k.Raw()
	place(merged)
	return merged, nil
}

// plant sets the value at a path, making the mappings above it.
func plant(t tree, keys []string, v any) {
	for _, key := range keys[:len(keys)-1] {
		next, ok := t[key].(tree)
		if !ok {
			next = tree{}
			t[key] = next
		}
		t = next
	}
	t[keys[len(keys)-1]] = v
}

func (l *loader) sources() sources {
	environ := make(map[string]string, len(l.options.Environ))
	for _, variable := range l.options.Environ {
		if name, text, ok := strings.Cut(variable, "="); ok {
			environ[name] = text
		}
	}
	return sources{environ: environ, files: l.options.Seen.referrals(l.options.Files), offline: l.options.Offline}
}
