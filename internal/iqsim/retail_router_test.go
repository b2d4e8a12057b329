package iqsim

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMatch(t *testing.T) {
	tests := []struct {
		pattern, path string
		want          captures // nil: no match
	}{
		{"/v1/Companies({c})", "/v1/Companies(1)", captures{"c": "1"}},
		{"/v1/Companies({c})", "/v1/companies(1)", captures{"c": "1"}},
		{"/v1/Companies({c})", "/V1/COMPANIES('1')", captures{"c": "1"}},
		{"/v1/Companies({c})", "/v1/Companies()", nil},
		{"/v1/Companies({c})", "/v1/Companies('')", nil},
		{"/v1/Companies({c})", "/v1/Companies(1)/Tree", nil},
		{"/v1/Companies({c})", "/v1/Companies(1", nil},
		{"/v1/Companies({c})", "/v1/Companies(1/2)", nil},
		{"/v1/Companies({c})/Customers({i})", "/v1/Companies(1)/Customers(a-b)", captures{"c": "1", "i": "a-b"}},
		{"/Items(SourceId={l})", `/Items(sourceid="ab")`, captures{"l": "ab"}},
		{"/Items(SourceId={l})", "/Items(ab)", nil},
		{"/Products/{slug}", "/Products/M1-V2", captures{"slug": "M1-V2"}},
		{"/Products/{slug}", "/Products/", nil},
		{"/Products/{slug}", "/Products/a/b", nil},
		{"/images/{id}/content", "/images/7/content", captures{"id": "7"}},
		{"/Countries", "/Countries", captures{}},
		{"/Countries", "/Countrie", nil},
	}
	for _, tt := range tests {
		t.Run(tt.pattern+" "+tt.path, func(t *testing.T) {
			got, ok := match(parts(tt.pattern), tt.path)
			if ok != (tt.want != nil) {
				t.Fatalf("match = %v, want %v", ok, tt.want != nil)
			}
			if len(got) != len(tt.want) || len(got) > 0 && !cmp.Equal(got, tt.want) {
				t.Error(cmp.Diff(tt.want, got))
			}
		})
	}
}

func TestRouter(t *testing.T) {
	rt := &router{}
	said := func(text string) operation {
		return func(*http.Request, captures) answer { return answer{status: 200, body: []byte(text)} }
	}
	rt.handle(http.MethodGet, "/a(SourceId={x})", said("special"))
	rt.handle(http.MethodGet, "/a({x})", said("general"))
	rt.handle(http.MethodPut, "/a({x})", said("put"))
	tests := []struct {
		method, target string
		status         int
		body, allow    string
	}{
		{"GET", "/a(SourceId=1)", 200, "special", ""},
		{"GET", "/a(1)", 200, "general", ""},
		{"HEAD", "/a(1)", 200, "general", ""},
		{"GET", "/a%281%29", 200, "general", ""},
		{"GET", "/A(1)/", 200, "general", ""},
		{"PUT", "/a(1)", 200, "put", ""},
		{"PATCH", "/a(1)", 405, `{"Message":"The requested resource does not support http method 'PATCH'."}`, "GET, PUT"},
		{"GET", "/b(1)", 404, `{"Message":"Resource cannot be found"}`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.method+" "+tt.target, func(t *testing.T) {
			w := httptest.NewRecorder()
			rt.ServeHTTP(w, httptest.NewRequest(tt.method, tt.target, nil))
			if w.Code != tt.status || w.Body.String() != tt.body || w.Header().Get("Allow") != tt.allow {
				t.Errorf("answer = %d %q Allow %q, want %d %q %q", w.Code, w.Body, w.Header().Get("Allow"), tt.status, tt.body, tt.allow)
			}
		})
	}
}

func FuzzMatch(f *testing.F) {
	f.Add("/v1/Companies(14146)/Customers(x)")
	f.Add("/v1/Companies('1')/Customers(\"\")")
	pattern := parts("/v1/Companies({c})/Customers({i})")
	f.Fuzz(func(t *testing.T, path string) {
		c, ok := match(pattern, path)
		if ok && (c["c"] == "" || c["i"] == "") {
			t.Errorf("match(%q) = %v: a capture is empty", path, c)
		}
	})
}
