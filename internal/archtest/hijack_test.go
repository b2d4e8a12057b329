package archtest_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// hijackers may take a connection from net/http, which then no drain waits for:
// the refusal of a CONNECT writes its answer and closes, within its handler; the
// simulation breaks connections on purpose.
var hijackers = []string{"proxy/sanitize_connect.go", "internal/iqsim/strike.go"}

func TestNothingElseHijacks(t *testing.T) {
	dir := root(t)
	var found []string
	for _, f := range sources(t, dir) {
		if f.isTest() {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, filepath.FromSlash(f.path)), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		if hijacks(parsed) {
			found = append(found, f.path)
		}
	}
	slices.Sort(found)
	if want := slices.Sorted(slices.Values(hijackers)); !slices.Equal(found, want) {
		t.Errorf("%v hijack connections, want %v", found, want)
	}
}

func hijacks(f *ast.File) bool {
	found := false
	ast.Inspect(f, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok && strings.HasPrefix(s.Sel.Name, "Hijack") {
			found = true
		}
		return true
	})
	return found
}

func TestHijacksAreFound(t *testing.T) {
	for text, want := range map[string]bool{
		"package p; func f() { c.Hijack() }":                   true,
		"package p; var _ http.Hijacker":                       true,
		"package p; func f() { http.NewServeMux() } // Hijack": false,
	} {
		parsed, err := parser.ParseFile(token.NewFileSet(), "p.go", text, 0)
		if err != nil {
			t.Fatal(err)
		}
		if hijacks(parsed) != want {
			t.Errorf("%s: %v", text, !want)
		}
	}
}
