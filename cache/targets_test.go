package cache

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"iqgateway/internal/pathpattern"
)

var entities = ServiceName{"sandbox", "entitymanager"}

func policyService(rules ...Rule) *Service { return &Service{Mode: ModePolicy, Rules: rules} }

func invalidating(path string, invalidates ...string) Rule {
	r := Rule{Path: pathpattern.MustParse(path)}
	for _, p := range invalidates {
		r.Invalidates = append(r.Invalidates, pathpattern.MustParse(p))
	}
	return r
}

func writeTo(path string, upstreams ...string) write {
	w := write{service: entities, path: path}
	for _, text := range upstreams {
		u, err := url.Parse(text)
		if err != nil {
			panic(err)
		}
		w.upstreams = append(w.upstreams, u)
	}
	return w
}

// summary writes events as "kind path", and checks that all are of the service.
func summary(t *testing.T, events []Event) []string {
	t.Helper()
	var lines []string
	for _, e := range events {
		if e.Service != entities || e.ID != 0 {
			t.Errorf("event %+v", e)
		}
		lines = append(lines, strings.TrimSpace(string(e.Kind)+" "+e.Path))
	}
	return lines
}

func TestRFC9111_4_4_TargetOfAWrite(t *testing.T) {
	w := writeTo("/v1/Companies(1)/Subscription(L)/Company%28C%29/", "https://entitymanager.example.net")
	if got, want := summary(t, writeEvents(policyService(), w, nil)), []string{"tree /v1/companies(1)/subscription(l)/company(c)"}; !slices.Equal(got, want) {
		t.Errorf("policy: %v, want %v", got, want)
	}
	if got, want := summary(t, writeEvents(&Service{Mode: ModeRFC9111}, w, nil)), []string{"path /v1/companies(1)/subscription(l)/company(c)"}; !slices.Equal(got, want) {
		t.Errorf("rfc9111: %v, want %v", got, want)
	}
	if got, want := summary(t, writeEvents(policyService(), writeTo("/v1/x%zz"), nil)), []string{"service"}; !slices.Equal(got, want) {
		t.Errorf("an unreadable path: %v, want %v", got, want)
	}
}

func TestRFC9111_4_4_LocationOnTheSameOrigin(t *testing.T) {
	const base, nested = "https://Entitymanager.example.net", "https://api.example.net/entitymanager"
	tests := []struct {
		name, upstream, location string
		want                     string // "" = not dropped
	}{
		{"absolute", base, "https://entitymanager.example.net/v1/Things(5)", "/v1/things(5)"},
		{"its own port", base, "https://entitymanager.example.net:443/v1/Things(5)?x=1#y", "/v1/things(5)"},
		{"rooted", base, "/v1/Things(5)/", "/v1/things(5)"},
		{"relative", base, "Things%285%29", "/v1/companies(1)/things(5)"},
		{"relative upwards", base, "../Things(5)", "/v1/things(5)"},
		{"no scheme", base, "//entitymanager.example.net/v1/Things(5)", "/v1/things(5)"},
		{"root", base, "https://entitymanager.example.net", "/"},
		{"query alone is the target", base, "?page=2", ""},
		{"other scheme", base, "http://entitymanager.example.net/v1/Things(5)", ""},
		{"other port", base, "https://entitymanager.example.net:8443/v1/Things(5)", ""},
		{"other host", base, "https://evil.example.net/v1/Things(5)", ""},
		{"host as user", base, "https://entitymanager.example.net@evil.example.net/v1/Things(5)", ""},
		{"no place", base, "mailto:x@example.net", ""},
		{"unreadable", base, "https://[::1/v1", ""},
		{"broken escape", base, "/v1/%zz", ""},
		{"empty", base, "", ""},
		{"below the prefix", nested, "https://api.example.net/EntityManager/v1/Things(5)", "/v1/things(5)"},
		{"the prefix itself", nested, "/entitymanager", "/"},
		{"relative below the prefix", nested, "Things(5)", "/v1/companies(1)/things(5)"},
		{"another service of the host", nested, "/other/v1/Things(5)", ""},
		{"a prefix of the name only", nested, "/entitymanager2/v1/Things(5)", ""},
	}
	for _, tt := range tests {
		for _, name := range []string{"Location", "Content-Location"} {
			w := writeTo("/v1/Companies(1)/Things", tt.upstream)
			want := []string{"tree /v1/companies(1)/things"}
			if tt.want != "" {
				want = append(want, "tree "+tt.want)
			}
			if got := summary(t, writeEvents(policyService(), w, http.Header{name: {tt.location}})); !slices.Equal(got, want) {
				t.Errorf("%s %s: %v, want %v", name, tt.name, got, want)
			}
		}
	}
}

// The host that a session prefers is the same service.
func TestLocationOnThePreferredHost(t *testing.T) {
	w := writeTo("/v1/x", "https://dataconnect.example.net", "https://dc7.example.net/base")
	w.upstreams = append(w.upstreams, nil)
	h := fields("Location: https://dc7.example.net/base/v1/y", "Content-Location: https://dataconnect.example.net/v1/z", "Location: /v1/x")
	want := []string{"tree /v1/x", "tree /v1/y", "tree /v1/z"}
	if got := summary(t, writeEvents(policyService(), w, h)); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestRulesNameWhatAWriteDrops(t *testing.T) {
	s := policyService(
		Rule{Path: pathpattern.MustParse("/v1/Companies({company})/Tree/Nodes(7)")},
		invalidating("/v1/Companies({company})/Tree/Nodes({node})**",
			"/v1/Companies({company})/Tree", "/v1/Companies({company})/Locations**", "/v1/Nodes({node})/{other}"),
		invalidating("/v1/Companies({company})/**", "/v1/Companies({company})/Tree", "/v1/Summary"),
		invalidating("/v1/Users({user})", "/v1/Everything**"),
	)
	want := []string{
		"tree /v1/companies(14 1)/tree/nodes(7)",
		"pattern /v1/Companies(14 1)/Tree",
		"pattern /v1/Companies(14 1)/Locations**",
		"pattern /v1/Nodes(7)/{other}",
		"pattern /v1/Summary",
	}
	// In another case and escaping than the rule's: the upstream may take it for
	// the same.
	events := writeEvents(s, writeTo("/V1/companies%2814%201%29/tree/nodes(7)"), nil)
	if got := summary(t, events); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for _, e := range events[1:] {
		if e.pattern.String() != e.Path {
			t.Errorf("pattern %s of event %s", e.pattern, e.Path)
		}
	}
	if !events[1].pattern.MatchFolded("/v1/companies(14 1)/tree") || events[1].pattern.MatchFolded("/v1/companies(2)/tree") {
		t.Error("the pattern is not about the company that was written")
	}
}

// A write that would drop too much one by one drops the service.
func TestEventsOfAWriteAreBounded(t *testing.T) {
	h := http.Header{}
	for i := range maxWriteEvents - 1 {
		h.Add("Location", "/v1/x"+strings.Repeat("y", i))
	}
	w := writeTo("/v1/target", "https://a.example.net")
	if got := writeEvents(policyService(), w, h); len(got) != maxWriteEvents {
		t.Errorf("%d events, want %d", len(got), maxWriteEvents)
	}
	h.Add("Location", "/v1/last")
	if got := summary(t, writeEvents(policyService(), w, h)); !slices.Equal(got, []string{"service"}) {
		t.Errorf("too many: %.200v", got)
	}
}

// ancestors are all paths above a folded one, the longest first.
func ancestors(folded string) (above []string) {
	for p, ok := cutAbove(folded); ok; p, ok = cutAbove(p) {
		above = append(above, p)
	}
	return above
}

func TestAncestors(t *testing.T) {
	tests := map[string][]string{
		"/v1/companies(1)/customers(2)/x": {
			"/v1/companies(1)/customers(2)", "/v1/companies(1)/customers", "/v1/companies(1)", "/v1/companies", "/v1", "/",
		},
		"/subscription(l)/company(c)": {"/subscription(l)/company", "/subscription(l)", "/subscription", "/"},
		"/a/(5)/b":                    {"/a/(5)", "/a", "/"},
		"/(x)":                        {"/"},
		"/a((b":                       {"/a(", "/a", "/"},
		"/a":                          {"/"},
		"/":                           nil,
		"":                            nil,
	}
	for path, want := range tests {
		if got := ancestors(path); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", path, got, want)
		}
	}
}

// Each ancestor is above the path, its own ancestors follow it, and none of
// them is unfolded text.
func FuzzAncestors(f *testing.F) {
	f.Add("/v1/Companies(1)/Customers(2)")
	f.Add("//a/((b)/")
	f.Add("/%2f(%28")
	f.Fuzz(func(t *testing.T, raw string) {
		folded, err := pathpattern.Fold(raw)
		if err != nil {
			return
		}
		above := ancestors(folded)
		for i, a := range above {
			if !strings.HasPrefix(folded, a) || len(a) >= len(folded) {
				t.Fatalf("%q is not above %q", a, folded)
			}
			if again, err := pathpattern.Fold(a); !strings.Contains(folded, "%") && (err != nil || again != a) {
				t.Fatalf("%q folds to %q, %v", a, again, err)
			}
			if got := ancestors(a); !slices.Equal(got, above[i+1:]) {
				t.Fatalf("above %q of %q: %q, want %q", a, folded, got, above[i+1:])
			}
		}
	})
}

// Whatever the upstream says, a write's events are few, of its own service and
// about paths that are folded.
func FuzzWriteEvents(f *testing.F) {
	f.Add("/v1/Companies(1)/Tree", "https://a.example.net/api/v1/x", "?x")
	f.Add("/v1/%2e%2e", "//a.example.net/api", "..")
	f.Add("/%00", "https://a.example.net:0443/api/%", "/api/../api")
	s := policyService(invalidating("/v1/{name}({id})**", "/v1/{name}", "/{id}/**"))
	f.Fuzz(func(t *testing.T, path, location, contentLocation string) {
		w := writeTo(path, "https://a.example.net/api")
		events := writeEvents(s, w, http.Header{"Location": {location}, "Content-Location": {contentLocation}})
		if len(events) == 0 || len(events) > maxWriteEvents {
			t.Fatalf("%d events", len(events))
		}
		for _, e := range events {
			if e.Service != entities {
				t.Fatalf("%+v is of another service", e)
			}
			if e.Kind == DropPattern {
				if p, err := pathpattern.Parse(e.Path); err != nil || p.String() != e.pattern.String() {
					t.Fatalf("pattern %q: %v", e.Path, err)
				}
			}
		}
	})
}
