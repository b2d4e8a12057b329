package archtest_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	module    = "iqgateway/"
	anyOfOurs = "*"

	maxFileLines = 500
)

type library struct {
	prefix string
	places []string // packages, or */name for every package so called
	reason string
}

// sourceFile is one Go file of the module, by its path below the root.
type sourceFile struct {
	path    string
	imports []string
	lines   int
}

func (f sourceFile) pkg() string  { return path.Dir(f.path) }
func (f sourceFile) isTest() bool { return strings.HasSuffix(f.path, "_test.go") }

func TestImports(t *testing.T) {
	for _, f := range sources(t, root(t)) {
		for _, problem := range violations(f) {
			t.Error(problem)
		}
	}
}

// A rule that never fires is no rule: each kind of violation is planted once.
func TestViolationsAreFound(t *testing.T) {
	planted := []struct {
		file sourceFile
		want string
	}{
		{sourceFile{path: "auth/x.go", imports: []string{module + "config"}}, "auth may not import config"},
		{sourceFile{path: "internal/exchange/x.go", imports: []string{module + "internal/secret"}}, "internal/exchange may not import"},
		{sourceFile{path: "newpkg/x.go"}, "newpkg is not listed"},
		{sourceFile{path: "proxy/x.go", imports: []string{"github.com/redis/go-redis/v9"}}, "proxy may not import github.com/redis"},
		{sourceFile{path: "auth/x_test.go", imports: []string{module + "proxy"}}, "auth may not import proxy"},
		{sourceFile{path: "internal/secret/x.go", imports: []string{"golang.org/x/sync/errgroup"}}, "standard library"},
		{sourceFile{path: "proxy/x_test.go", imports: []string{"github.com/redis/go-redis/v9"}}, "proxy may not import github.com/redis"},
		{sourceFile{path: "tokencache/x_test.go", imports: []string{"go.opentelemetry.io/otel/metric"}}, "tokencache may not import go.opentelemetry.io"},
		{sourceFile{path: "auth/x_test.go", imports: []string{"golang.org/x/sync/errgroup"}}, "tests of auth may not import golang.org/x/sync"},
		{sourceFile{path: "auth/x_test.go", imports: []string{"pgregory.net/rapidly"}}, "tests of auth may not import"},
		{sourceFile{path: "auth/x_test.go", imports: []string{"github.com/google/go-cmp/cmp", "pgregory.net/rapid", "net/http/httputil"}}, ""},
		{sourceFile{path: "observability/x_test.go", imports: []string{"go.opentelemetry.io/otel/metric"}}, ""},
		{sourceFile{path: "auth/x.go", imports: []string{"math/rand"}}, ""},
		{sourceFile{path: "auth/x_test.go", imports: []string{module + "internal/iqsim", module + "auth"}}, ""},
		{sourceFile{path: "sundial/redisstore/x.go", imports: []string{"github.com/redis/go-redis/v9"}}, "not listed"},
	}
	for _, p := range planted {
		got := strings.Join(violations(p.file), "\n")
		if (p.want == "") != (got == "") || !strings.Contains(got, p.want) {
			t.Errorf("%s importing %v: %q, want %q", p.file.path, p.file.imports, got, p.want)
		}
	}
}

func TestFilesStaySmall(t *testing.T) {
	for _, f := range sources(t, root(t)) {
		if f.lines > maxFileLines {
			t.Errorf("%s has %d lines; split it (at most %d)", f.path, f.lines, maxFileLines)
		}
	}
}

func violations(f sourceFile) []string {
	allowed, listed := imports[f.pkg()]
	if !listed {
		return []string{fmt.Sprintf("%s: package %s is not listed in the import rules", f.path, f.pkg())}
	}
	var problems []string
	for _, imported := range f.imports {
		own, ours := strings.CutPrefix(imported, module)
		if ours && !mayImport(f, own, allowed) {
			problems = append(problems, fmt.Sprintf("%s: %s may not import %s", f.path, f.pkg(), own))
		}
		if !ours && slices.Contains(vocabulary, f.pkg()) && strings.Contains(imported, ".") && !f.isTest() {
			problems = append(problems, fmt.Sprintf("%s: vocabulary imports the standard library alone, not %s", f.path, imported))
		}
		if problem := libraryProblem(f, imported); problem != "" {
			problems = append(problems, problem)
		}
	}
	return problems
}

// libraryProblem says what is wrong with importing a library, "" for nothing.
// Tests have a list of their own, and the whole standard library.
func libraryProblem(f sourceFile, imported string) string {
	for _, l := range libraries {
		switch {
		case !within(imported, l.prefix):
		case l.allows(f.pkg()):
			return ""
		case !f.isTest():
			return fmt.Sprintf("%s: %s may not import %s: %s", f.path, f.pkg(), imported, l.reason)
		}
	}
	if f.isTest() && external(imported) && !slices.ContainsFunc(testLibraries, func(l string) bool { return within(imported, l) }) {
		return fmt.Sprintf("%s: tests of %s may not import %s: it is none of their libraries", f.path, f.pkg(), imported)
	}
	return ""
}

// external reports whether an import is neither ours nor of the standard
// library, whose paths begin without a dot.
func external(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return strings.Contains(first, ".")
}

// within reports whether an import belongs to a library, whose prefix may end
// in "/" to mean all modules below it.
func within(imported, prefix string) bool {
	rest, ok := strings.CutPrefix(imported, prefix)
	return ok && (rest == "" || strings.HasSuffix(prefix, "/") || strings.HasPrefix(rest, "/"))
}

func mayImport(f sourceFile, own string, allowed []string) bool {
	switch {
	case slices.Contains(allowed, anyOfOurs), slices.Contains(allowed, own):
		return true
	case f.isTest() && (own == f.pkg() || slices.Contains(testImports, own)):
		return true
	case slices.Contains(vocabulary, f.pkg()):
		return false
	default:
		return slices.Contains(vocabulary, own)
	}
}

func (l library) allows(pkg string) bool {
	return slices.ContainsFunc(l.places, func(place string) bool {
		name, anywhere := strings.CutPrefix(place, "*/")
		return pkg == place || anywhere && path.Base(pkg) == name
	})
}

// sources reads every Go file of the product's module: nested modules and
// testdata are not part of it.
func sources(t *testing.T, dir string) []sourceFile {
	t.Helper()
	var files []sourceFile
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return skipDir(dir, name, d)
		}
		if filepath.Ext(name) != ".go" {
			return nil
		}
		f, err := readSource(dir, name)
		files = append(files, f)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 10 {
		t.Fatalf("only %d Go files found below %s", len(files), dir)
	}
	return files
}

func skipDir(rootDir, name string, d fs.DirEntry) error {
	if name == rootDir {
		return nil
	}
	if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil {
		return fs.SkipDir
	}
	if d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") {
		return fs.SkipDir
	}
	return nil
}

func readSource(rootDir, name string) (sourceFile, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return sourceFile{}, err
	}
	parsed, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ImportsOnly)
	if err != nil {
		return sourceFile{}, err
	}
	rel, err := filepath.Rel(rootDir, name)
	if err != nil {
		return sourceFile{}, err
	}
	f := sourceFile{path: filepath.ToSlash(rel), lines: strings.Count(string(text), "\n")}
	for _, spec := range parsed.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return sourceFile{}, err
		}
		f.imports = append(f.imports, imported)
	}
	return f, nil
}

// root returns the folder of the product's go.mod.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
		t.Fatal(err)
	}
	return dir
}
