package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Setting is what can be said of one key path of the schema.
type Setting struct {
	Key      string `json:"key"`
	Meaning  string `json:"meaning,omitempty"`
	Type     string `json:"type"`
	Default  string `json:"default,omitempty"`
	Required bool   `json:"required,omitempty"`
	// Follows says that it is a secret, whose file is read again by itself.
	Follows bool `json:"follows,omitempty"`
	// Keys are those below a mapping; of one that is keyed by names those of the
	// configuration, NAME without any.
	Keys []string `json:"keys,omitempty"`
	// Values are what it is in a configuration: one, or for a service one in each
	// environment.
	Values []SettingValue `json:"values,omitempty"`
}

// SettingValue is what a setting is, secrets redacted, and who said so.
type SettingValue struct {
	Environment string `json:"environment,omitempty"`
	Value       string `json:"value"`
	Source      string `json:"source"` // as of [EffectiveService.Source]
}

// Explain says what is known of the setting at a key path (services.crm.quota.max).
// A configuration adds what it is there; nil = none is at hand, and any name may
// stand in the path. The error names what is near.
func Explain(path string, c *Config) (Setting, error) {
	docs, err := schemaDocs()
	if err != nil {
		return Setting{}, err
	}
	builtIn, err := newBuiltInLayer()
	if err != nil {
		return Setting{}, err
	}
	w := settingWalk{schema: newSchema(), docs: docs, services: builtIn.names, config: c}
	return w.to(path)
}

// settingWalk goes down the schema along a key path, and beside it down the tree
// of a configuration that there may be.
type settingWalk struct {
	schema   *schema
	docs     map[string]string
	services map[string]string // of the catalogue, by name and alias
	config   *Config
}

func (w settingWalk) to(path string) (Setting, error) {
	if path == "" {
		return Setting{}, errors.New("no key: ask for one, as services.crm.quota.max")
	}
	at, owner := field{typ: reflect.TypeFor[Document]()}, ""
	var keys []string // without indexes, services by name
	for rest := path; rest != ""; {
		var key string
		key, rest = cutKey(rest)
		k, t := kindOf(at.typ)
		switch k {
		case kindNames:
			name, err := w.name(keys, key)
			if err != nil {
				return Setting{}, err
			}
			at, key = field{typ: t.Elem()}, name
		case kindMapping:
			f, found := w.schema.of(t).find(key)
			if !found {
				return Setting{}, fmt.Errorf("%s: unknown key%s; there are %s", join(strings.Join(keys, "."), key),
					didYouMean(key, w.schema.of(t).keys()), strings.Join(w.schema.of(t).keys(), ", "))
			}
			at, owner = f, t.Name()
		default:
			return Setting{}, fmt.Errorf("%s: there is nothing below %s, which is explained as a whole", path, strings.Join(keys, "."))
		}
		keys = append(keys, key)
	}
	s := w.describe(at, owner)
	s.Key = strings.Join(keys, ".")
	k, _ := kindOf(at.typ)
	switch {
	case w.config == nil:
	case k == kindNames:
		if names := sortedKeys(subtree(w.config.tree, keys...)); len(names) > 0 {
			s.Keys = slices.DeleteFunc(names, func(name string) bool { return name == self })
		}
	case k != kindMapping:
		s.Values = w.config.settingValues(keys, at)
	}
	return s, nil
}

// name checks a key that somebody has chosen.
func (w settingWalk) name(above []string, key string) (string, error) {
	last := above[len(above)-1]
	switch {
	case w.config == nil && last == "services":
		return cmp.Or(w.services[key], key), nil
	case w.config == nil:
		return key, nil
	case last == "services":
		return w.config.knownService(key)
	}
	names := sortedKeys(subtree(w.config.tree, above...))
	if last == "environments" {
		names = w.config.EnvironmentNames()
	}
	if last == "shares" || last == "access" {
		return key, nil // anybody's, whether it is written there or not
	}
	return key, known("entry of "+strings.Join(above, "."), key, names)
}

func (w settingWalk) describe(f field, owner string) Setting {
	k, t := kindOf(f.typ)
	s := Setting{Required: f.required, Default: f.rule.def, Meaning: about(f.key, f.name, w.docs[owner+"."+f.name])}
	var around []string
	for k == kindNames || k == kindList {
		around = append(around, map[kind]string{kindNames: "map of ", kindList: "list of "}[k])
		if k == kindNames && s.Keys == nil {
			s.Keys = []string{"NAME"}
		}
		k, t = kindOf(t.Elem())
	}
	shape := strings.Join(around, "")
	switch {
	case k == kindScalar:
		s.Type = shape + strings.ReplaceAll(scalarWords(t, f.rule), "`", "")
		s.Follows = t == reflect.TypeFor[Secret]() || t == reflect.TypeFor[Key]()
	case shape == "":
		s.Type, s.Keys = "mapping", w.schema.of(t).keys()
	default:
		s.Type = shape + "mappings with " + strings.Join(w.schema.of(t).keys(), ", ")
	}
	if s.Meaning == "" && k == kindMapping {
		s.Meaning = w.docs[t.Name()]
	}
	return s
}

// settingValues are what a setting is, in all environments that it may differ in.
func (c *Config) settingValues(keys []string, f field) []SettingValue {
	switch {
	case len(keys) > 2 && keys[0] == "services":
		var all []SettingValue
		for _, name := range c.EnvironmentNames() {
			if s, ok := c.environments[name].Service(keys[1]); ok {
				all = append(all, c.settingValue(s.tree, keys[2:], f, s))
			}
		}
		return all
	case len(keys) > 4 && keys[0] == "environments" && keys[2] == "services":
		s, ok := c.environments[keys[1]].Service(keys[3])
		if !ok {
			return nil
		}
		return []SettingValue{c.settingValue(s.tree, keys[4:], f, s)}
	default:
		return []SettingValue{c.settingValue(c.tree, keys, f, nil)}
	}
}

func (c *Config) settingValue(t tree, keys []string, f field, s *EffectiveService) SettingValue {
	path := strings.Join(keys, ".")
	at := find(t, path)
	value := SettingValue{Source: originOf(at).String()}
	if s != nil {
		value.Environment, value.Source = s.Environment, s.Source(path)
	}
	if at == nil && f.rule.hasDef {
		at = defaultOf(f)
	}
	if l, _ := at.(leaf); l.List && kindOfItems(f.typ) != kindScalar {
		value.Value = fmt.Sprintf("%d written", len(l.Items))
		return value
	}
	p := printer{c.schema, PrintOptions{}}
	if n := p.node(f.typ, at, false); n != nil {
		var text bytes.Buffer
		if err := p.write(&text, n); err == nil {
			value.Value = strings.TrimSpace(text.String())
		}
	}
	return value
}

func kindOfItems(t reflect.Type) kind {
	k, _ := kindOf(t.Elem())
	return k
}

// about is a comment of the code with the operator's word for what it is about.
func about(what, name, comment string) string {
	if rest, found := strings.CutPrefix(comment, name+" "); found {
		return what + " " + rest
	}
	return comment
}

// scalarWords says how the values of a scalar are written.
func scalarWords(t reflect.Type, r rule) string {
	words := map[reflect.Type]string{
		reflect.TypeFor[bool](): "true or false", reflect.TypeFor[int](): "number", reflect.TypeFor[string](): "text",
		reflect.TypeFor[HostPort](): "host:port", reflect.TypeFor[Date](): "date", reflect.TypeFor[Digest](): "SHA-256 in hex",
		reflect.TypeFor[Prefix](): "address or CIDR", reflect.TypeFor[AutoSize](): "size or `auto`", reflect.TypeFor[HeaderName](): "name of a field",
		reflect.TypeFor[URLTemplate](): "URL with placeholders", reflect.TypeFor[ProxyURL](): "URL", reflect.TypeFor[URL](): "URL",
		reflect.TypeFor[PathPrefix](): "path",
	}
	text, known := words[t]
	if !known {
		text = strings.ToLower(t.Name())
	}
	if r.enum != nil {
		text = "`" + strings.Join(r.enum, "`, `") + "`"
	}
	if r.min != "" {
		text += ", " + r.min + " to " + r.max
	}
	if r.none != "" {
		text += ", or `none`"
	}
	return text
}
