package config

import (
	"embed"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strconv"
	"strings"
)

// The comments of the schema are its descriptions, so they are written once.
//
//go:embed schema*.go
var schemaSource embed.FS

// Schema returns a JSON Schema (2020-12) of the configuration, for editors.
// Load checks more than it can say.
func Schema() ([]byte, error) {
	docs, err := schemaDocs()
	if err != nil {
		return nil, err
	}
	g := &schemaWriter{schema: newSchema(), docs: docs, defs: map[string]any{}}
	root := g.mapping(reflect.TypeFor[Document]())
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "iqgateway configuration"
	root["$defs"] = g.defs
	text, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encoding the schema: %w", err)
	}
	return append(text, '\n'), nil
}

// schemaDocs returns the comments of types and, as Type.Field, of fields.
func schemaDocs() (map[string]string, error) {
	docs := map[string]string{}
	names, err := schemaSource.ReadDir(".")
	if err != nil {
		return nil, fmt.Errorf("reading the schema: %w", err)
	}
	for _, entry := range names {
		text, err := schemaSource.ReadFile(entry.Name())
		if err != nil {
			return nil, fmt.Errorf("reading the schema: %w", err)
		}
		file, err := parser.ParseFile(token.NewFileSet(), entry.Name(), text, parser.ParseComments)
		if err != nil {
			return nil, fmt.Errorf("reading the schema: %w", err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if decl, ok := n.(*ast.GenDecl); ok && decl.Tok == token.TYPE {
				addDocs(docs, decl)
			}
			return true
		})
	}
	return docs, nil
}

func addDocs(docs map[string]string, decl *ast.GenDecl) {
	for _, spec := range decl.Specs {
		t, isType := spec.(*ast.TypeSpec)
		if !isType {
			continue
		}
		docs[t.Name.Name] = oneLine(decl.Doc.Text())
		s, isStruct := t.Type.(*ast.StructType)
		if !isStruct {
			continue
		}
		for _, f := range s.Fields.List {
			for _, name := range f.Names {
				docs[t.Name.Name+"."+name.Name] = oneLine(f.Doc.Text())
			}
		}
	}
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

type schemaWriter struct {
	schema *schema
	docs   map[string]string
	defs   map[string]any
}

type object = map[string]any

func (g *schemaWriter) mapping(t reflect.Type) object {
	m := g.schema.of(t)
	properties, required := object{}, []string{}
	for _, f := range m.fields {
		property := g.value(f.typ, f.rule)
		if doc := g.docs[t.Name()+"."+f.name]; doc != "" {
			property["description"] = doc
		}
		if f.rule.hasDef {
			property["default"] = defaultJSON(f)
		}
		properties[f.key] = property
		if f.required {
			required = append(required, f.key)
		}
	}
	o := object{
		"type": "object", "description": g.docs[t.Name()], "properties": properties,
		"patternProperties": object{"^x-": object{}}, "additionalProperties": false,
	}
	if len(required) > 0 {
		o["required"] = required
	}
	return o
}

func (g *schemaWriter) value(t reflect.Type, r rule) object {
	k, t := kindOf(t)
	switch k {
	case kindScalar:
		return scalarSchema(t, r)
	case kindList:
		return object{"type": "array", "items": g.value(t.Elem(), rule{enum: r.enum, min: r.min, max: r.max})}
	case kindNames:
		names := `^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`
		if t.Elem() == reflect.TypeFor[Grant]() {
			names = `^(\*|[a-z0-9]([a-z0-9-]*[a-z0-9])?)$`
		}
		return object{"type": "object", "patternProperties": object{names: g.value(t.Elem(), rule{})}, "additionalProperties": false}
	default:
		return g.reference(t)
	}
}

func (g *schemaWriter) reference(t reflect.Type) object {
	if _, done := g.defs[t.Name()]; !done {
		g.defs[t.Name()] = nil // stands while it is being made
		o := g.mapping(t)
		if short := g.schema.of(t).shorthand; short != "" {
			f, _ := g.schema.of(t).find(short)
			o = object{"anyOf": []any{scalarSchema(f.typ, f.rule), o}}
		}
		g.defs[t.Name()] = o
	}
	return object{"$ref": "#/$defs/" + t.Name()}
}

func scalarSchema(t reflect.Type, r rule) object {
	o := plainSchema(t, r)
	if r.none != "" {
		return object{"anyOf": []any{o, object{"const": none}}}
	}
	return o
}

func plainSchema(t reflect.Type, r rule) object {
	pattern := func(p string) object { return object{"type": "string", "pattern": p} }
	switch t {
	case reflect.TypeFor[bool]():
		return object{"type": "boolean"}
	case reflect.TypeFor[int]():
		o := object{"type": "integer"}
		if low, err := strconv.Atoi(r.min); err == nil {
			o["minimum"] = low
		}
		if high, err := strconv.Atoi(r.max); err == nil {
			o["maximum"] = high
		}
		return o
	case reflect.TypeFor[Duration]():
		return pattern(`^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`)
	case reflect.TypeFor[Size]():
		return pattern(`^[0-9]+(B|KiB|MiB|GiB|TiB)$`)
	case reflect.TypeFor[AutoSize]():
		return pattern(`^(auto|[0-9]+(B|KiB|MiB|GiB|TiB))$`)
	case reflect.TypeFor[Rate]():
		return pattern(`^[0-9]+/([0-9].*)?[a-zµ]+$`)
	case reflect.TypeFor[Ratio]():
		return object{"anyOf": []any{object{"type": "number", "minimum": 0, "maximum": 1}, pattern(`^[0-9.]+%$`)}}
	case reflect.TypeFor[Amount]():
		return object{"anyOf": []any{object{"type": "integer", "minimum": 1}, pattern(`^[0-9.]+%$`)}}
	case reflect.TypeFor[Digest]():
		return pattern(`^[0-9A-Fa-f]{64}$`)
	case reflect.TypeFor[Pattern]():
		return pattern(`^/`)
	}
	if r.enum != nil {
		return object{"enum": r.enum}
	}
	return object{"type": []string{"string", "number", "boolean"}} // read as written
}

// defaultJSON is the default as JSON, numbers and booleans as such.
func defaultJSON(f field) any {
	if k, _ := kindOf(f.typ); k == kindList {
		l, _ := defaultOf(f).(leaf)
		items := make([]any, len(l.Items))
		for i, item := range l.Items {
			text, _ := item.(leaf)
			items[i] = scalarJSON(f.typ.Elem(), text.Text)
		}
		return items
	}
	return scalarJSON(f.typ, f.rule.def)
}

func scalarJSON(t reflect.Type, text string) any {
	switch t {
	case reflect.TypeFor[bool]():
		return text == "true"
	case reflect.TypeFor[int](), reflect.TypeFor[Ratio]():
		if v, err := strconv.ParseFloat(text, 64); err == nil {
			return v
		}
	}
	return text
}
