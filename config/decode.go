package config

import (
	"reflect"
	"strconv"
	"strings"
)

// decoder turns a tree into values of the schema and reports every text that
// does not mean anything.
type decoder struct {
	schema  *schema
	report  *report
	sources sources
	// defaults are those decoded already, by mapping and field: every service
	// of every environment has them. They are shared and never written.
	defaults map[defaultKey]reflect.Value
	secrets  secrets // those decoded
	kept     secrets // those of the configuration that overrides lie on; nil = there is none
}

type defaultKey struct {
	mapping reflect.Type
	field   int
}

func newDecoder(s *schema, r *report, from sources) *decoder {
	return &decoder{schema: s, report: r, sources: from, defaults: map[defaultKey]reflect.Value{}, secrets: secrets{}}
}

// decode writes v, the value at path, into target. Complete values get
// defaults and must have what is required; settings of a service that are
// still to be merged are not complete.
func (d *decoder) decode(target reflect.Value, v any, path string, r rule, complete bool) {
	if l, ok := v.(leaf); ok && l.Broken {
		return
	}
	if t := target.Type(); t.Kind() == reflect.Pointer && t != reflect.TypeFor[URL]() {
		target.Set(reflect.New(t.Elem()))
		target = target.Elem()
	}
	k, t := kindOf(target.Type())
	switch k {
	case kindScalar:
		if l, ok := v.(leaf); ok {
			d.scalar(target, l, path, r)
		}
	case kindList:
		l, _ := v.(leaf)
		list := reflect.MakeSlice(t, len(l.Items), len(l.Items))
		for i, item := range l.Items {
			d.decode(list.Index(i), item, index(path, i), r, true)
		}
		target.Set(list)
	case kindNames:
		d.names(target, v, path, complete)
	case kindMapping:
		mapping, _ := v.(tree)
		d.mapping(target, mapping, path, complete && t != reflect.TypeFor[Service]())
	}
}

func (d *decoder) names(target reflect.Value, v any, path string, complete bool) {
	mapping, _ := v.(tree)
	result := reflect.MakeMapWithSize(target.Type(), len(mapping))
	for name, value := range mapping {
		if name == self {
			continue
		}
		element := reflect.New(target.Type().Elem()).Elem()
		d.decode(element, value, join(path, name), rule{}, complete)
		result.SetMapIndex(reflect.ValueOf(name), element)
	}
	target.Set(result)
}

func (d *decoder) mapping(target reflect.Value, mapping tree, path string, complete bool) {
	for _, f := range d.schema.of(target.Type()).fields {
		into, at := target.Field(f.index), join(path, f.key)
		v, given := mapping[f.key]
		if l, ok := v.(leaf); ok && l.Short {
			at = path
		}
		switch {
		case given && f.required && isEmpty(v, f):
			d.report.errorf(originOf(v), at, "is empty: it is required")
		case given:
			d.decode(into, v, at, f.rule, complete)
		case !complete:
		case f.required:
			d.report.errorf(originOf(mapping), at, "is missing: it is required")
		case f.rule.hasDef:
			d.setDefault(into, defaultKey{target.Type(), f.index}, f, at)
		case into.Kind() == reflect.Struct && !isScalar(into.Type()):
			d.decode(into, tree{}, at, f.rule, true)
		}
	}
}

// isEmpty tells an empty text where it would mean absent.
func isEmpty(v any, f field) bool {
	l, ok := v.(leaf)
	return ok && !l.List && !l.Broken && l.Text == "" && mayBeEmpty(f.typ, f.rule)
}

func (d *decoder) setDefault(into reflect.Value, key defaultKey, f field, at string) {
	if known, ok := d.defaults[key]; ok {
		into.Set(known)
		return
	}
	d.decode(into, defaultOf(f), at, f.rule, true)
	d.defaults[key] = reflect.ValueOf(into.Interface())
}

// defaultOf reads the default of a field as if it stood in a file.
func defaultOf(f field) any {
	if k, _ := kindOf(f.typ); k != kindList {
		return leaf{Text: f.rule.def}
	}
	l := leaf{List: true}
	for item := range strings.SplitSeq(strings.Trim(f.rule.def, "[]"), ",") {
		l.Items = append(l.Items, leaf{Text: strings.TrimSpace(item)})
	}
	return l
}

func (d *decoder) scalar(target reflect.Value, l leaf, path string, r rule) {
	switch target.Type() {
	case reflect.TypeFor[Secret]():
		target.Set(reflect.ValueOf(d.secret(l, path, r)))
		return
	case reflect.TypeFor[Key]():
		target.Set(reflect.ValueOf(d.key(l, path)))
		return
	case reflect.TypeFor[ProxyURL]():
		target.Set(reflect.ValueOf(d.proxyURL(l, path)))
		return
	}
	if strings.Contains(l.Text, "${env:") || strings.Contains(l.Text, "${file:") {
		d.report.errorf(l.At, path, "a reference is for secrets only: write %s itself, or set %s", notation(target.Type()), byVariable(path))
		return
	}
	value, err := parseText(target.Type(), l.Text, r)
	if err != nil {
		d.report.errorf(l.At, path, "%s %v", quoted(target.Type(), l.Text), err)
		return
	}
	if file, ok := value.(File); ok && file != "" {
		d.file(file, l, path)
	}
	target.Set(reflect.ValueOf(value).Convert(target.Type()))
}

// file checks that a file is there; what it must hold is checked by its user.
func (d *decoder) file(name File, l leaf, path string) {
	if d.sources.offline {
		return
	}
	if _, err := d.sources.files.ReadFile(string(name), maxFile); err != nil {
		d.report.errorf(l.At, path, "file %s cannot be read: %v", name, cause(err))
	}
}

func (d *decoder) secret(l leaf, path string, r rule) Secret {
	if l.Text == "" {
		return Secret{}
	}
	s, err := d.resolve(l, path)
	if err != nil {
		return Secret{}
	}
	if s.Reference == "" && l.At.Layer != layerVariable && !r.literal {
		d.report.warnf(l.At, path, "a secret stands in the open: write ${env:NAME} or ${file:/path}")
	}
	return s
}

// resolve follows a reference and reports one that leads nowhere.
func (d *decoder) resolve(l leaf, path string) (Secret, error) {
	s, err := d.sources.resolve(l.Text)
	if text, known := d.kept[path]; known {
		s.Text = text
	}
	if err != nil {
		d.report.errorf(l.At, path, "%v", err)
		return s, err
	}
	d.secrets[path] = s.Text
	return s, nil
}

func (d *decoder) key(l leaf, path string) Key {
	s := d.secret(l, path, rule{})
	if s.IsZero() {
		return Key{s}
	}
	if _, err := decodeKey(s.Reveal()); err != nil {
		d.report.errorf(l.At, path, "%v", err)
	}
	return Key{s}
}

// proxyURL reads a URL that may hold a password, so it may be a reference too.
func (d *decoder) proxyURL(l leaf, path string) ProxyURL {
	if l.Text == "" {
		return ProxyURL{}
	}
	s, err := d.resolve(l, path)
	if err != nil {
		return ProxyURL{}
	}
	if s.IsZero() { // offline
		return ProxyURL{}
	}
	value, err := parseText(reflect.TypeFor[ProxyURL](), s.Reveal(), rule{})
	if err != nil {
		what := quoted(reflect.TypeFor[ProxyURL](), l.Text)
		if s.Reference != "" {
			what = "what " + s.Reference + " refers to"
		}
		d.report.errorf(l.At, path, "%s %v", what, err)
		return ProxyURL{}
	}
	u, _ := value.(ProxyURL)
	if _, literal := u.User.Password(); literal && s.Reference == "" && l.At.Layer != layerVariable {
		d.report.warnf(l.At, path, "a password stands in the open: write the whole URL as ${env:NAME} or ${file:/path}")
	}
	return u
}

// quoted shows a value in a message, shortened and without a password. A
// digest is shortened as well: it may be a key that was pasted by mistake.
func quoted(t reflect.Type, text string) string {
	const longest = 60
	switch {
	case t == reflect.TypeFor[Digest]():
		return "the value"
	case strings.Contains(text, "@") && (t == reflect.TypeFor[URL]() || t == reflect.TypeFor[ProxyURL]() || t == reflect.TypeFor[URLTemplate]()):
		return "the URL"
	case len(text) > longest:
		text = strings.ToValidUTF8(text[:longest], "") + "…"
	}
	return strconv.Quote(text)
}
