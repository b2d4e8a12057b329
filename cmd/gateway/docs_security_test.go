package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Each threat of docs/security.md has an answer that a test shows: the tests which
// it names are in the tree, SEC-nn as a function or as a case of raw bytes.
func TestSecurityDocumentNamesItsTests(t *testing.T) {
	t.Parallel()
	tests, named := testNames(t), 0
	for line := range strings.Lines(readDocument(t, filepath.Join("docs", "security.md"))) {
		if cells := strings.Split(line, "|"); len(cells) == 5 && !strings.Contains(cells[3], "--") && strings.TrimSpace(cells[3]) != "shown by" {
			shown := regexp.MustCompile(`SEC-\d+|`+"`Test\\w+`").FindAllString(cells[3], -1)
			if len(shown) == 0 {
				t.Errorf("no test shows the answer to%s", cells[1])
			}
		}
		for _, name := range regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(line, -1) {
			named++
			if !tests[name[1]] {
				t.Errorf("there is no %s", name[1])
			}
		}
		for _, name := range regexp.MustCompile(`SEC-(\d+)`).FindAllStringSubmatch(line, -1) {
			named++
			_, err := os.Stat(filepath.Join("..", "..", "proxy", "testdata", "raw", name[0]+".case"))
			if !tests["SEC"+name[1]] && err != nil {
				t.Errorf("there is no TestSEC%s, and no case %s", name[1], name[0])
			}
		}
	}
	if named < 50 {
		t.Errorf("only %d tests are named", named)
	}
}

// testNames are those of all test functions, and the SECnn that begin some.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	function := regexp.MustCompile(`(?m)^func (Test(SEC\d+)?\w*)\(`)
	err := filepath.WalkDir(filepath.Join("..", ".."), func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || d.Name() == "bin"):
			return filepath.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		for _, match := range function.FindAllStringSubmatch(string(text), -1) {
			names[match[1]], names[match[2]] = true, true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
