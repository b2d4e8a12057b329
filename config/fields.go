package config

import (
	"errors"
	"reflect"
	"strings"
)

var errNoBytes = errors.New("a layer has no bytes")

// field is one key of a mapping of the schema, as its struct tags say.
type field struct {
	name     string // of the Go field
	key      string
	index    int
	typ      reflect.Type
	required bool
	rule     rule
}

// rule is what a scalar must keep.
type rule struct {
	def      string   // text of the default
	hasDef   bool     //
	enum     []string // the only texts allowed
	min, max string   // bounds, in the type's own notation
	none     string   // none is allowed, and means that there is none of this
	literal  bool     // of a secret: a literal is nothing to warn of
	empty    bool     // of a host:port: empty means absent
}

// mapping is a struct type of the schema.
type mapping struct {
	fields    []field
	shorthand string // key that a bare value stands for
}

func (m mapping) find(key string) (field, bool) {
	for _, f := range m.fields {
		if f.key == key {
			return f, true
		}
	}
	return field{}, false
}

func (m mapping) keys() []string {
	keys := make([]string, len(m.fields))
	for i, f := range m.fields {
		keys[i] = f.key
	}
	return keys
}

// schema knows the mappings of the schema by type. It is not safe for
// concurrent use.
type schema struct{ mappings map[reflect.Type]mapping }

func newSchema() *schema { return &schema{make(map[reflect.Type]mapping)} }

func (s *schema) of(t reflect.Type) mapping {
	if m, ok := s.mappings[t]; ok {
		return m
	}
	var m mapping
	for i := range t.NumField() {
		f := t.Field(i)
		if text := f.Tag.Get("shorthand"); text != "" {
			m.shorthand = text
		}
		if key := f.Tag.Get("yaml"); key != "" {
			m.fields = append(m.fields, field{
				name: f.Name, key: key, index: i, typ: f.Type,
				required: f.Tag.Get("required") == "true",
				rule:     ruleOf(f.Tag),
			})
		}
	}
	s.mappings[t] = m
	return m
}

func ruleOf(tag reflect.StructTag) rule {
	var r rule
	r.def, r.hasDef = tag.Lookup("default")
	if enum := tag.Get("enum"); enum != "" {
		r.enum = strings.Split(enum, "|")
	}
	r.min, r.max, _ = strings.Cut(tag.Get("range"), "..")
	r.none = tag.Get("none")
	r.literal = tag.Get("literal") != ""
	r.empty = tag.Get("empty") != ""
	return r
}

// kind is how a type of the schema is written.
type kind int8

const (
	kindScalar kind = iota
	kindMapping
	kindNames // a map keyed by names
	kindList
)

// kindOf looks through the pointer of an optional mapping.
func kindOf(t reflect.Type) (kind, reflect.Type) {
	if t.Kind() == reflect.Pointer && t != reflect.TypeFor[URL]() {
		t = t.Elem()
	}
	switch {
	case isScalar(t):
		return kindScalar, t
	case t.Kind() == reflect.Map:
		return kindNames, t
	case t.Kind() == reflect.Slice:
		return kindList, t
	default:
		return kindMapping, t
	}
}

func isScalar(t reflect.Type) bool {
	switch t {
	case reflect.TypeFor[URL](), reflect.TypeFor[ProxyURL](), reflect.TypeFor[Pattern](), reflect.TypeFor[Prefix](), reflect.TypeFor[Date](),
		reflect.TypeFor[Rate](), reflect.TypeFor[Amount](), reflect.TypeFor[Digest](), reflect.TypeFor[Secret](), reflect.TypeFor[Key]():
		return true
	}
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Int, reflect.Int64, reflect.Float64:
		return true
	default:
		return false
	}
}
