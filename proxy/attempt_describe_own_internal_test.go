package proxy

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// neverOfAnAttempt are the sentinels that no failure of an attempt has for a
// cause, by the beginning of their names, with what they are about.
var neverOfAnAttempt = map[string]string{
	"errHost":           "a caller's Host field",
	"errTarget":         "a caller's request target",
	"errNoService":      "a route of another generation, before any attempt",
	"errProhibited":     "the kind of a prohibitedError, which has its own words",
	"errSessionsClosed": "a session's store",
	"errEndpoint":       "a session's document",
}

// Whatever stopped an attempt is told in its own words, also beside an error of
// net/http: a sentinel that describe does not know would be told as a type.
func TestDescribeKnowsEveryOwnError(t *testing.T) {
	known := map[string]bool{}
	ast.Inspect(parse(t, "attempt_describe.go"), func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			known[id.Name] = true
		}
		return true
	})
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, name := range sentinels(parse(t, file)) {
			found++
			if !known[name] && !elsewhere(name) {
				t.Errorf("%s: describe does not know %s", file, name)
			}
		}
	}
	if found < len(neverOfAnAttempt)+8 {
		t.Errorf("only %d sentinels were found", found)
	}
}

func parse(t *testing.T, file string) *ast.File {
	t.Helper()
	src, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	f, err := parser.ParseFile(token.NewFileSet(), file, src, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// sentinels returns the names of the package's variables made by errors.New.
func sentinels(f *ast.File) (names []string) {
	for _, d := range f.Decls {
		group, ok := d.(*ast.GenDecl)
		if !ok || group.Tok != token.VAR {
			continue
		}
		for _, spec := range group.Specs {
			v := spec.(*ast.ValueSpec)
			if len(v.Values) == 1 && isErrorsNew(v.Values[0]) {
				names = append(names, v.Names[0].Name)
			}
		}
	}
	return names
}

func isErrorsNew(e ast.Expr) bool {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return false
	}
	fun, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || fun.Sel.Name != "New" {
		return false
	}
	pkg, ok := fun.X.(*ast.Ident)
	return ok && pkg.Name == "errors"
}

func elsewhere(name string) bool {
	for beginning := range neverOfAnAttempt {
		if strings.HasPrefix(name, beginning) {
			return true
		}
	}
	return false
}

func TestDescribeLooksIntoJoinedErrors(t *testing.T) {
	odd := &oddError{}
	for name, err := range map[string]error{
		"joined":                errors.Join(errors.New("CAN_AT"), odd),
		"joined in what joined": errors.Join(errors.New("CAN_AT"), errors.Join(odd)),
	} {
		if got, want := describe(err), "no usable answer (*proxy.oddError)"; got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := describe(errors.Join(errUploadIdle, odd)); got != errUploadIdle.Error() {
		t.Errorf("a stalled upload: %q", got)
	}
}

// oddError is one of net/http that nobody has foreseen.
type oddError struct{}

func (*oddError) Error() string { return "CAN_AT" }
