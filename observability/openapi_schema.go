package observability

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"
)

// schemaWriter turns Go types into JSON schemas (2020-12) of what encoding/json
// makes of them. Structs with a name become components.
type schemaWriter struct {
	components object
	types      map[string]reflect.Type // of them
	failed     []error
	// closed: structs that are met for the first time take no other members, as
	// ReadJSON does.
	closed bool
}

func refTo(name string) object { return object{"$ref": "#/components/schemas/" + name} }

// named is the schema of a value's type.
func (s *schemaWriter) named(v any) object {
	choice, ok := v.(OneOf)
	if !ok {
		return s.of(reflect.TypeOf(v))
	}
	var schemas []any
	for _, v := range choice {
		schemas = append(schemas, s.named(v))
	}
	return object{"oneOf": schemas}
}

func (s *schemaWriter) of(t reflect.Type) object {
	switch {
	case t == nil: // nothing was declared, which is an error elsewhere
		return object{}
	case t == reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case t == reflect.TypeFor[json.RawMessage]():
		return object{}
	case t.Implements(reflect.TypeFor[encoding.TextMarshaler]()):
		return object{"type": "string"}
	}
	switch t.Kind() {
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.String:
		return object{"type": "string"}
	case reflect.Float32, reflect.Float64:
		return object{"type": "number"}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return object{"type": "integer", "minimum": 0}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return object{"type": "integer"}
	case reflect.Slice, reflect.Array:
		return object{"type": "array", "items": s.of(t.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": s.of(t.Elem())}
	case reflect.Pointer:
		return s.of(t.Elem())
	case reflect.Struct:
		return s.structure(t)
	default: // an interface: anything
		return object{}
	}
}

// structure puts a struct with a name among the components once, which ends
// types that hold themselves.
func (s *schemaWriter) structure(t reflect.Type) object {
	name := componentName(t)
	if name == "" {
		return s.members(t)
	}
	switch other, taken := s.types[name]; {
	case !taken:
		s.types[name] = t // it may hold itself
		s.components[name] = s.members(t)
	case other != t:
		s.failed = append(s.failed, fmt.Errorf("%s and %s would both be %s: rename one", other, t, name))
	}
	return refTo(name)
}

// componentName is the type's, with its package's unless that is the program's
// or this one.
func componentName(t reflect.Type) string {
	pkg, name, ok := strings.Cut(t.String(), ".")
	if !ok || t.Name() == "" {
		return ""
	}
	if pkg == "main" || pkg == "observability" {
		return upperFirst(name)
	}
	return upperFirst(pkg) + upperFirst(name)
}

func (s *schemaWriter) members(t reflect.Type) object {
	properties, required := object{}, []string{}
	s.fields(t, properties, &required)
	schema := object{"type": "object", "properties": properties}
	if len(required) > 0 {
		schema["required"] = required
	}
	if s.closed {
		schema["additionalProperties"] = false
	}
	return schema
}

// fields adds those of t, and of what it embeds without a name of its own.
func (s *schemaWriter) fields(t reflect.Type, properties object, required *[]string) {
	for f := range t.Fields() {
		tag, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case tag == "-" || !f.IsExported() && !f.Anonymous:
			continue
		case f.Anonymous && tag == "":
			s.fields(f.Type, properties, required)
			continue
		case tag == "":
			tag = f.Name
		}
		properties[tag] = s.of(f.Type)
		if !strings.Contains(options, "omit") {
			*required = append(*required, tag)
			if f.Type.Kind() == reflect.Pointer {
				properties[tag] = object{"anyOf": []any{s.of(f.Type), object{"type": "null"}}}
			}
		}
	}
}
