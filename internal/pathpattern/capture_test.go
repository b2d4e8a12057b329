package pathpattern_test

import (
	"maps"
	"testing"

	"iqgateway/internal/pathpattern"
)

func TestCapture(t *testing.T) {
	tests := []struct {
		pattern, path string
		want          map[string]string // nil = no match
	}{
		{"/v1/Companies({company})/Tree", "/v1/Companies(14146)/Tree", map[string]string{"company": "14146"}},
		{"/v1/Companies({company})/Tree", "/v1/companies(14146)/Tree", nil},
		{"/v1/Companies({company})/Locations({l})**", "/v1/Companies(1)/Locations(2)/Hours", map[string]string{"company": "1", "l": "2"}},
		{"/v1/Companies({company})/Locations({l})**", "/v1/Companies(1)/Locations(2", nil}, // half a match says nothing
		{"/v1/{name}**", "/v1/abc(1)/x", map[string]string{"name": "abc"}},
		{"/v1/{name}**", "/v1/abc", map[string]string{"name": "abc"}},
		{"/v1/{name}**", "/v1/", nil},
		{"/v1/{name}", "/v1/a%2Fb", map[string]string{"name": "a%2Fb"}}, // raw
		{"/{a}-{b}", "/1-2-3", map[string]string{"a": "1", "b": "2-3"}},
		{"/{name}.csv", "/a.csv.csv", map[string]string{"name": "a.csv"}},
		{"/{a}/{a}", "/1/1", map[string]string{"a": "1"}},
		{"/{a}/{a}", "/1/2", map[string]string{}},
		{"/{a}/{a}/{a}", "/1/2/2", map[string]string{}},
		{"/x", "/x", map[string]string{}},
		{"/x", "/y", nil},
	}
	for _, tt := range tests {
		got, ok := pathpattern.MustParse(tt.pattern).Capture(tt.path)
		if ok != (tt.want != nil) || !maps.Equal(got, tt.want) {
			t.Errorf("%s captures %v, %v of %s; want %v", tt.pattern, got, ok, tt.path, tt.want)
		}
	}
}

func TestCaptureFoldedEscapes(t *testing.T) {
	p := pathpattern.MustParse("/v1/Companies({company})/Tree")
	for raw, want := range map[string]string{
		"/V1/companies%28AB%29/tree/":  "ab",
		"/v1/Companies(a%2541)/Tree":   "a%2541", // decodes once only
		"/v1/Companies(a%7Bb%2A)/Tree": "a%7Bb%2A",
	} {
		folded, err := pathpattern.Fold(raw)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := p.CaptureFolded(folded); !ok || got["company"] != want {
			t.Errorf("of %s: %v, %v; want %s", raw, got, ok, want)
		}
	}
	if got, ok := p.CaptureFolded("/v2"); ok {
		t.Errorf("another path captures %v", got)
	}
}

func TestFill(t *testing.T) {
	values := map[string]string{
		"company": "14146", "pattern": "{x}**", "slash": "a/b", "empty": "", "broken": "%zz", "escaped": "a%2Fb",
	}
	tests := map[string]string{
		"/v1/Companies({company})/Tree":             "/v1/Companies(14146)/Tree",
		"/v1/Companies({company})/Locations({l})**": "/v1/Companies(14146)/Locations({l})**",
		"/{pattern}**": "/%7Bx%7D%2A%2A**",
		"/{slash}":     "/{slash}", // what a parameter cannot stand for leaves it: more is matched
		"/{empty}/x":   "/{empty}/x",
		"/{broken}":    "/{broken}",
		"/{escaped}":   "/a%2Fb",
		"/x":           "/x",
	}
	for pattern, want := range tests {
		if got := pathpattern.MustParse(pattern).Fill(values).String(); got != want {
			t.Errorf("%s becomes %s, want %s", pattern, got, want)
		}
	}
	if !(pathpattern.Pattern{}).Fill(values).IsZero() {
		t.Error("the zero Pattern became another one")
	}
}

// What was captured and filled in again matches the path, whatever it holds,
// and its text stands for it.
func FuzzCaptureFill(f *testing.F) {
	f.Add("/v1/Companies({company})/Tree", "/v1/Companies(14146)/Tree")
	f.Add("/{a}**", "/{b}**")
	f.Add("/{a}-{b}", "/%2D-%2541")
	f.Add("/x/{a}", "/X//%2f%2fa")
	f.Fuzz(func(t *testing.T, pattern, path string) {
		p, err := pathpattern.Parse(pattern)
		if err != nil {
			return
		}
		folded, err := pathpattern.Fold(path)
		if err != nil {
			return
		}
		values, ok := p.CaptureFolded(folded)
		if ok != p.MatchFolded(folded) {
			t.Fatalf("%s captures %v, matches %v: %s", pattern, ok, !ok, folded)
		}
		if !ok {
			return
		}
		filled := p.Fill(values)
		again, err := pathpattern.Parse(filled.String())
		if err != nil {
			t.Fatalf("%s filled is %s: %v", pattern, filled, err)
		}
		if !again.MatchFolded(folded) {
			t.Fatalf("%s filled with %v is %s, which does not match %s", pattern, values, filled, folded)
		}
	})
}
