package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// quoteReference is the way out for ${…} inside { } or [ ].
const quoteReference = `a ${…} inside { } or [ ] ends the mapping early: quote it, "${env:NAME}"`

var (
	errEmpty     = errors.New("the document is empty: begin with version: 1")
	errDocuments = errors.New("holds more than one YAML document: remove the line ---")
)

// parseYAML reads the one document that text must hold.
func parseYAML(text []byte, n *yaml.Node) error {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	switch err := decoder.Decode(n); {
	case errors.Is(err, io.EOF) || err == nil && (len(n.Content) == 0 || isNull(n.Content[0])):
		return errEmpty
	case err != nil:
		return fmt.Errorf("%w", err)
	}
	var second yaml.Node
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		return errDocuments
	}
	return nil
}

// reader reads the main file and what it includes into one layer.
type reader struct {
	files   Files
	shaper  *shaper
	names   []string        // of the files, in the order in which they were read
	matched map[string]bool // by patterns, whose files may go
}

// read returns the layer of the file and its includes. text stands in for the
// content of the file when it is not nil.
func (r *reader) read(path string, text []byte) tree {
	top := r.file(path, text)
	if top == nil {
		return nil
	}
	for _, name := range r.included(path, top) {
		part := r.file(name, nil)
		if part == nil {
			continue
		}
		if version, _ := part["version"].(leaf); sameText(version, top["version"]) {
			delete(part, "version") // so that a file can say which schema it is for
		}
		if include, has := part["include"]; has {
			r.shaper.report.errorf(originOf(include), "include", "stands in an included file: only the main file can include")
			delete(part, "include")
		}
		r.join(reflect.TypeFor[Document](), top, part, "")
	}
	return top
}

func sameText(l leaf, other any) bool {
	o, ok := other.(leaf)
	return ok && l.Text == o.Text && !l.Broken && !o.Broken
}

func (r *reader) file(name string, text []byte) tree {
	r.names = append(r.names, name)
	at := Origin{layerFile, name, 0}
	if text == nil {
		var err error
		if text, err = r.files.ReadFile(name, maxFile); err != nil {
			if !r.gone(name, err) {
				r.shaper.report.errorf(at, "", "cannot be read: %v", cause(err))
			}
			return nil
		}
	}
	if len(text) > maxFile {
		r.shaper.report.errorf(at, "", "is larger than %s: split it with include", Size(maxFile))
		return nil
	}
	var n yaml.Node
	if err := parseYAML(text, &n); errors.Is(err, errEmpty) && len(r.names) > 1 {
		return tree{} // an include may wait for its first setting
	} else if err != nil {
		at.Line, err = explainSyntax(string(text), err)
		r.shaper.report.errorf(at, "", "%v", err)
		return nil
	}
	r.shaper.origin = fileOrigin(name)
	t, _ := r.shaper.shape(reflect.TypeFor[Document](), n.Content[0], "").(tree)
	return t
}

// gone reports whether a file that a pattern has found is not there any more, which
// is as if it had never been. A link that leads nowhere is there.
func (r *reader) gone(name string, err error) bool {
	if !r.matched[name] || !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	found, err := r.files.Glob(name)
	return err == nil && len(found) == 0
}

// explainSyntax finds the line of a syntax error and what was meant, where the
// parser's words do not help.
func explainSyntax(text string, err error) (int, error) {
	line := 0
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	if _, scanErr := fmt.Sscanf(message, "line %d:", &line); scanErr == nil {
		_, message, _ = strings.Cut(message, ": ")
	}
	switch {
	case isParserMessage(message):
		line++ // the parser counts from 0, the scanner from 1
	case strings.HasPrefix(message, "unknown anchor '"):
		name, _, _ := strings.Cut(strings.TrimPrefix(message, "unknown anchor '"), "'")
		before, _, _ := strings.Cut(text, "*"+name)
		line = 1 + strings.Count(before, "\n")
	}
	if n := unquotedReference(text); n > 0 && strings.Contains(message, "did not find expected") {
		return n, errors.New(quoteReference)
	}
	if errors.Is(err, errEmpty) || errors.Is(err, errDocuments) {
		return line, err
	}
	return line, fmt.Errorf("is no YAML: %s", message)
}

// isParserMessage tells errors of YAML's grammar from those of its tokens.
func isParserMessage(message string) bool {
	rest, ok := strings.CutPrefix(message, "did not find expected ")
	return ok && (strings.HasPrefix(rest, "'") || strings.HasPrefix(rest, "<") || rest == "key" || rest == "node content")
}

// unquotedReference returns the first line (from 1) with ${ behind an open
// bracket and outside quotes, 0 when there is none.
func unquotedReference(text string) int {
	depth, quote, line := 0, byte(0), 1
	for i := range len(text) {
		c := text[i]
		switch {
		case c == '\n':
			line++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '#' && (i == 0 || text[i-1] == ' ' || text[i-1] == '\n'):
			quote = '\n' // a comment ends with its line
			continue
		case c == '"' || c == '\'' && i > 0 && strings.IndexByte(" [{,:", text[i-1]) >= 0:
			quote = c
		case c == '$' && depth > 0 && strings.HasPrefix(text[i:], "${"):
			return line
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth = max(0, depth-1)
		}
		if c == '\n' && quote == '\n' {
			quote = 0
		}
	}
	return 0
}

// included returns the files that the include patterns name, in name order.
func (r *reader) included(path string, top tree) []string {
	patterns, _ := top["include"].(leaf)
	r.matched = map[string]bool{}
	var names []string
	for i, item := range patterns.Items {
		pattern, _ := item.(leaf)
		full := pattern.Text
		if !filepath.IsAbs(full) {
			full = filepath.Join(filepath.Dir(path), full)
		}
		found, err := r.files.Glob(full)
		if err != nil {
			r.shaper.report.errorf(pattern.At, index("include", i), "%q is no pattern of file names", pattern.Text)
			continue
		}
		if hasMeta(full) {
			for _, name := range found {
				r.matched[name] = true
			}
		} else {
			found = []string{full} // reading it says that it is missing
		}
		names = append(names, found...)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	return slices.DeleteFunc(names, func(name string) bool { return filepath.Clean(name) == filepath.Clean(path) })
}

// hasMeta reports whether a name is a pattern.
func hasMeta(name string) bool { return strings.ContainsAny(name, "*?[") }

// join adds the keys of an included file to those read before; a key that both
// give is an error.
func (r *reader) join(t reflect.Type, into, part tree, path string) {
	_, t = kindOf(t)
	for key, v := range part {
		if key == self {
			continue
		}
		have, both := into[key]
		if !both {
			into[key] = v
			continue
		}
		inner, whole := r.below(t, key)
		haveTree, haveOK := have.(tree)
		partTree, partOK := v.(tree)
		if haveOK && partOK && !whole {
			r.join(inner, haveTree, partTree, join(path, key))
			continue
		}
		r.shaper.report.errorf(originOf(v), join(path, key), "is already given in %s: a key stands in one file", originOf(have))
	}
}

// below returns the type under a key, and whether the key belongs to one file
// as a whole.
func (r *reader) below(t reflect.Type, key string) (reflect.Type, bool) {
	if t.Kind() == reflect.Map {
		return t.Elem(), t.Elem() == reflect.TypeFor[Caller]() || t.Elem() == reflect.TypeFor[Credential]()
	}
	f, _ := r.shaper.schema.of(t).find(key)
	return f.typ, false
}
