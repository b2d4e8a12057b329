package archtest_test

import (
	"go/version"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const maxDirectDependencies = 25

func TestDirectDependenciesStayFew(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(root(t), "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	direct := directDependencies(string(data))
	if direct == 0 || direct > maxDirectDependencies {
		t.Errorf("%d direct dependencies, want 1 to %d", direct, maxDirectDependencies)
	}
}

// HTTP/2 above connections of our own began with Go 1.27: what an older one builds
// answers it with HTTP/1.1. A toolchain line would be a suggestion only.
func TestGoLinesRequireTheToolchain(t *testing.T) {
	lines := map[string]string{}
	for _, module := range []string{".", "test", "tools"} {
		data, err := os.ReadFile(filepath.Join(root(t), module, "go.mod"))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			if v, ok := strings.CutPrefix(line, "go "); ok {
				lines[module] = "go" + strings.TrimSpace(v)
			}
		}
		if v := lines[module]; version.Compare(v, "go1.27.4") < 0 || v != lines["."] {
			t.Errorf("%s/go.mod requires %q, the product %q, and at least go1.27.4 is needed", module, v, lines["."])
		}
	}
}

func TestDirectDependenciesAreCounted(t *testing.T) {
	const gomod = `module m

require a.example/one v1.0.0
require a.example/two v1.0.0 // indirect

require (
	a.example/three v1.0.0
	a.example/four v1.0.0 // why
	a.example/five v1.0.0 // indirect; why
	// a.example/six v1.0.0

  a.example/seven v1.0.0
)

exclude a.example/one v1.1.0

replace (
	a.example/one v1.0.0 => b.example/one v1.0.0
)
`
	if got := directDependencies(gomod); got != 4 {
		t.Errorf("%d direct dependencies, want one, three, four and seven", got)
	}
}

// directDependencies counts the requirements of a go.mod, in blocks and alone,
// as the go command formats them or not.
func directDependencies(gomod string) int {
	count, block := 0, false
	for line := range strings.Lines(gomod) {
		line, comment, _ := strings.Cut(line, "//")
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
		case words[0] == "require" && words[len(words)-1] == "(":
			block = true
		case words[0] == ")":
			block = false
		case (block || words[0] == "require") && !strings.HasPrefix(strings.TrimSpace(comment), "indirect"):
			count++
		}
	}
	return count
}
