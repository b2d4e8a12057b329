package pathpattern_test

import (
	"slices"
	"strings"
	"testing"

	"iqgateway/internal/pathpattern"
)

func TestMatch(t *testing.T) {
	tests := []struct {
		pattern, path string
		want          bool
	}{
		{"/v1/Companies({company})/Tree", "/v1/Companies(14146)/Tree", true},
		{"/v1/Companies({company})/Tree", "/v1/companies(14146)/Tree", false}, // case-sensitive
		{"/v1/Companies({company})/Tree", "/v1/Companies()/Tree", false},      // a parameter is not empty
		{"/v1/Companies({company})/Tree", "/v1/Companies(1/2)/Tree", false},   // nor does it cross a segment
		{"/v1/Companies({company})/Tree", "/v1/Companies(1)(2)/Tree", false},  // or a parenthesis
		{"/v1/Companies({company})/Tree", "/v1/Companies(1)/Tree/", false},
		{"/v1/Companies({company})/Tree", "/v1/Companies%281%29/Tree", false}, // raw bytes
		{"/v1/Companies({company})/Customers**", "/v1/Companies(1)/Customers", true},
		{"/v1/Companies({company})/Customers**", "/v1/Companies(1)/Customers(x)/Addresses", true},
		{"/v1/Companies({company})/Customers**", "/v1/Companies(1)/CustomerFull(x)", false},
		{"/v1/{a}-{b}/x", "/v1/1-2-3/x", true}, // the literal after a parameter may occur inside it
		{"/{name}.csv", "/a.csv.csv", true},
		{"/**", "/", true},
		{"/", "/", true},
		{"/", "/x", false},
	}
	for _, tt := range tests {
		if got := pathpattern.MustParse(tt.pattern).Match(tt.path); got != tt.want {
			t.Errorf("%s matches %s = %v, want %v", tt.pattern, tt.path, got, tt.want)
		}
	}
	if (pathpattern.Pattern{}).Match("") {
		t.Error("the zero Pattern matches")
	}
}

// What the upstream would read as a restricted path is restricted.
func TestMatchFolded(t *testing.T) {
	tests := []struct {
		pattern, path string
		want          bool
	}{
		{"/session", "/SESSION", true},
		{"/session", "/%73ession", true},
		{"/session", "/session/", true},
		{"/session", "/session///", true},
		{"/session", "//session", true},
		{"/session", "/%2fsession", true},
		{"/session", "/\u017feSSion", true}, // folds to s in Unicode
		{"/session", "/%C5%BFession", true},
		{"/session", "/sessions", false},
		{"/Import/**", "/import/TrafficCount", true},
		{"/Import**", "/import", true},
		{"/v1/Users({id})/Lock", "/v1/users%2812%29/lock", true},
		{"/a%2Fb", "/A/B", true},
		{"/", "///", true},
	}
	for _, tt := range tests {
		folded, err := pathpattern.Fold(tt.path)
		if err != nil {
			t.Fatalf("Fold(%q): %v", tt.path, err)
		}
		if got := pathpattern.MustParse(tt.pattern).MatchFolded(folded); got != tt.want {
			t.Errorf("%s matches %s (folded %s) = %v, want %v", tt.pattern, tt.path, folded, got, tt.want)
		}
	}
}

func TestCompareOrdersBySpecificity(t *testing.T) {
	want := []string{
		"/v1/Companies({company})/Customers/Search",
		"/v1/Companies({company})/Customers({id})",
		"/v1/Companies({company})/Customers**",
		"/v1/Companies({company})/**",
		"/v1/Companies**",
		"/v1/x",
		"/v1/x**",
		"/v1/**",
		"/{any}",
		"/**",
	}
	got := make([]pathpattern.Pattern, len(want))
	for i, text := range want {
		got[len(want)-1-i] = pathpattern.MustParse(text)
	}
	slices.SortFunc(got, pathpattern.Compare)
	for i, p := range got {
		if p.String() != want[i] {
			t.Errorf("place %d: %s, want %s", i, p, want[i])
		}
	}
	same := pathpattern.Compare(pathpattern.MustParse("/a/{x}/b**"), pathpattern.MustParse("/a/{y}/b**"))
	if same != 0 {
		t.Errorf("patterns of one shape compare as %d", same)
	}
}

func TestParseRefusesWhatCannotBeMeant(t *testing.T) {
	for text, reason := range map[string]string{
		"":             "begin with /",
		"v1/x":         "begin with /",
		"/a/{x":        "not closed",
		"/a/{}":        "no name",
		"/a/{x}{y}":    "touch",
		"/a/**/b":      "only at its end",
		"/a/*":         "only at its end",
		"/a}":          "cannot stand",
		"/a?b=1":       "cannot stand",
		"/a%zz":        "valid escape",
		"/a/{x}/b%2":   "valid escape",
		"/a/{x}**/**":  "only at its end",
		"/a/b***":      "only at its end",
		"/a/b#c":       "cannot stand",
		"/a/{x}/{y}**": "",
	} {
		_, err := pathpattern.Parse(text)
		if (err == nil) != (reason == "") || err != nil && !strings.Contains(err.Error(), reason) {
			t.Errorf("Parse(%q): %v, want %q", text, err, reason)
		}
	}
}

func FuzzMatch(f *testing.F) {
	f.Add("/v1/Companies({company})/Customers**", "/v1/Companies(1)/Customers(x)")
	f.Add("/{a}-{b}-{c}", "/1-2-3-4")
	f.Fuzz(func(t *testing.T, pattern, path string) {
		p, err := pathpattern.Parse(pattern)
		if err != nil {
			return
		}
		if p.Match(path) && pathpattern.Compare(p, p) != 0 {
			t.Error("a pattern differs from itself")
		}
		folded, err := pathpattern.Fold(path)
		if err != nil {
			return
		}
		// A restriction holds wherever the pattern matches as written.
		if p.Match(path) && !strings.ContainsAny(pattern, "%{") && !p.MatchFolded(folded) {
			t.Errorf("%q matches %q but not its folded form %q", pattern, path, folded)
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	p := pathpattern.MustParse("/v1/Companies({company})/Customers({id})/Addresses**")
	for b.Loop() {
		if !p.Match("/v1/Companies(14146)/Customers(0b3f6a)/Addresses") {
			b.Fatal("no match")
		}
	}
}
