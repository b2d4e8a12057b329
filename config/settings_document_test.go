package config

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"iqgateway/internal/goldentest"
)

// docs/configuration.md says what the schema says.
func TestSettingsDocument(t *testing.T) {
	goldentest.Compare(t, filepath.Join("..", "docs", "configuration.md"), settingsDocument(t))
}

const settingsHead = `# Configuration

Generated from the schema in config/schema*.go; do not edit. After a change: make docs

Every key with what it may be and what it is when nobody sets it. [examples/minimal.yaml](../examples/minimal.yaml)
is the least that serves, [examples/full.yaml](../examples/full.yaml) has every key; the examples below are its values.
` + "`gateway config schema`" + ` prints the same as a JSON Schema for editors, ` + "`gateway validate -c FILE`" + ` checks a
file, ` + "`gateway config print --sources -c FILE`" + ` shows each value and where it comes from, and
` + "`gateway config explain KEY`" + ` says of one what this page says.

## What wins

Of several sources the last wins: what is built in, the file and its ` + "`include`" + `s, variables of the environment,
flags. ` + "`IQGW_SERVICES__CRM__QUOTA__MAX=900`" + ` and ` + "`--set services.crm.quota.max=900`" + ` set the same key: ` + "`__`" + `
divides keys, ` + "`_`" + ` stands for ` + "`-`" + ` in names, and variables without ` + "`__`" + ` are ignored.

Settings of a service are merged from general to special: ` + "`defaults`" + `, the [catalogue](services.md), ` + "`services.NAME`" + `,
` + "`environments.NAME.services.NAME`" + `. Maps merge, lists replace.

A configuration is used whole or not at all: a key that is unknown or given twice, or a value that cannot be meant,
is refused with file, line and key path (exit code 3).

## How values are written

| type | written as |
|---|---|
| duration | ` + "`500ms`, `30s`, `1h30m`" + `; a bare number is none |
| size | ` + "`512B`, `64KiB`, `256MiB`, `1GiB`" + ` |
| rate | ` + "`1000/60s`, `100/s`" + `: so many in so long |
| ratio | ` + "`1%` or `0.01`" + ` |
| amount | ` + "`20%`" + `, or a number of tokens |
| secret | ` + "`${env:NAME}` or `${file:/path}`" + `; inside ` + "`{ }` or `[ ]`" + ` in quotes. A literal loads with a warning |
| key | a secret of 32 bytes, in base64 (` + "`openssl rand -base64 32`" + `) |
| pattern | a path; ` + "`{name}`" + ` stands for anything but ` + "`/ ( )`" + `, a final ` + "`**`" + ` for any rest |
| name | ` + "`a-z`, `0-9` and `-`" + `; in the tables NAME stands for one that you choose |

` + "`none`" + ` means that there is no such limit, wherever the default or the allowed values name it. Keys that begin with ` + "`x-`" + ` are
yours, for anchors of YAML.

**Reload** says what a changed value needs: *yes*, [a reload](operations.md#reload) is enough; *restart*, it belongs to the process,
which keeps it until it starts anew; *follows*, a secret whose file is read again by itself.
`

type settingsWriter struct {
	strings.Builder
	schema   *schema
	docs     map[string]string
	examples map[string]string // by type and key
	fixed    []string
	sections []section // still to be written
	written  map[reflect.Type]string
}

// section is one mapping of the schema at the first path that leads to it.
type section struct {
	typ  reflect.Type
	path string
}

func settingsDocument(t *testing.T) string {
	t.Helper()
	docs, err := schemaDocs()
	if err != nil {
		t.Fatal(err)
	}
	full, _ := loadExample(t, "full")
	w := &settingsWriter{
		schema: newSchema(), docs: docs, fixed: settingsOfTheProcess(t),
		examples: map[string]string{}, written: map[reflect.Type]string{reflect.TypeFor[Service](): "services.NAME"},
	}
	w.collect(reflect.TypeFor[Document](), full.tree)
	w.WriteString(settingsHead)
	w.sections = []section{{reflect.TypeFor[Document](), ""}}
	for len(w.sections) > 0 {
		next := w.sections[0]
		w.sections = nil
		w.write(next)
	}
	return w.String()
}

// settingsOfTheProcess are those that cmd/gateway takes at the start only. No
// package but its own can import it, so they are read from its source.
func settingsOfTheProcess(t *testing.T) []string {
	t.Helper()
	name := filepath.Join("..", "cmd", "gateway", "reload_fixed.go")
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	ast.Inspect(file, func(n ast.Node) bool {
		f, isFunc := n.(*ast.FuncDecl)
		if isFunc && f.Name.Name != "fixedSettings" {
			return false
		}
		if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
			if path, err := strconv.Unquote(l.Value); err == nil && !strings.Contains(path, "/") {
				paths = append(paths, path)
			}
		}
		return true
	})
	if len(paths) < 5 {
		t.Fatalf("%s: fixedSettings names only %v", name, paths)
	}
	return paths
}

// collect keeps the first value of each key.
func (w *settingsWriter) collect(t reflect.Type, v any) {
	k, t := kindOf(t)
	l, _ := v.(leaf)
	mapping, _ := v.(tree)
	for _, item := range l.Items {
		w.collect(t.Elem(), item)
	}
	for _, key := range sortedKeys(mapping) {
		if key == self {
			continue
		}
		if k == kindNames {
			w.collect(t.Elem(), mapping[key])
			continue
		}
		f, found := w.schema.of(t).find(key)
		if !found {
			continue
		}
		name := t.Name() + "." + key
		if text := exampleText(mapping[key]); text != "" && w.examples[name] == "" && firstWritten(mapping[key]).Layer == layerFile {
			w.examples[name] = text
		}
		w.collect(f.typ, mapping[key])
	}
}

// exampleText is a value in one line, empty for what is written in several.
func exampleText(v any) string {
	l, ok := v.(leaf)
	if !ok || !l.List {
		return l.Text
	}
	var items []string
	for _, item := range l.Items {
		text := exampleText(item)
		if text == "" {
			return ""
		}
		items = append(items, text)
	}
	return "[" + strings.Join(items, ", ") + "]"
}

// write writes the table of a mapping, then those of the mappings in it.
func (w *settingsWriter) write(s section) {
	title, what := s.path, code(s.path)
	if title == "" {
		title, what = "Sections", "A document"
	}
	fmt.Fprintf(w, "\n## %s\n\n%s\n\n| key | type | default | meaning | example | reload |\n|---|---|---|---|---|---|\n", title, about(what, s.typ.Name(), w.docs[s.typ.Name()]))
	var below []section
	for _, f := range w.schema.of(s.typ).fields {
		path := join(s.path, f.key)
		typ, text, child := w.typeOf(f, path)
		if child != nil {
			below = append(below, *child)
		}
		writeRow(&w.Builder, []string{
			"`" + f.key + "`", text, w.defaultOf(f), about(code(f.key), f.name, w.docs[s.typ.Name()+"."+f.name]), code(w.examples[s.typ.Name()+"."+f.key]), w.reload(typ, path),
		})
	}
	for _, child := range below {
		w.write(child)
	}
}

// typeOf describes the values of a field; child is the section of its mapping,
// when no other section has it.
func (w *settingsWriter) typeOf(f field, path string) (typ reflect.Type, text string, child *section) {
	k, typ := kindOf(f.typ)
	shape := ""
	for k == kindNames || k == kindList {
		if k == kindNames {
			path, shape = path+".NAME", shape+"map of "
		} else {
			path, shape = path+"[]", shape+"list of "
		}
		k, typ = kindOf(typ.Elem())
	}
	if k == kindScalar {
		return typ, shape + scalarWords(typ, f.rule), nil
	}
	at, seen := w.written[typ]
	if !seen || at == path {
		at, child = path, &section{typ, path}
		w.written[typ] = path
	}
	text = shape + "[" + at + "](#" + anchor(at) + ")"
	if short := w.schema.of(typ).shorthand; short != "" {
		text += ", or its `" + short + "` alone"
	}
	return typ, text, child
}

// anchor is what GitHub makes of a heading.
func anchor(heading string) string {
	return strings.NewReplacer(".", "", "[", "", "]", "").Replace(strings.ToLower(heading))
}

func (w *settingsWriter) defaultOf(f field) string {
	switch {
	case f.required:
		return "required"
	case f.rule.hasDef:
		return code(f.rule.def)
	default:
		return ""
	}
}

func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + text + "`"
}

func (w *settingsWriter) reload(typ reflect.Type, path string) string {
	secret := typ == reflect.TypeFor[Secret]() || typ == reflect.TypeFor[Key]()
	if secret && path != "redis.name_key" && path != "auth.token_endpoint.signing_key" && path != "auth.token_endpoint.previous_keys" {
		return "follows"
	}
	for _, fixed := range w.fixed {
		if path == fixed || strings.HasPrefix(path, fixed+".") || strings.HasPrefix(path, fixed+"[]") {
			return "restart"
		}
	}
	if !isScalar(typ) {
		return "" // its keys say it
	}
	return "yes"
}
