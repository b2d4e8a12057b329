package iqsim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// retailTime is when the tests take place.
func retailTime() time.Time { return time.Date(2026, time.March, 2, 9, 30, 0, 0, time.UTC) }

// retailServer serves one environment's retail services below /{stem}, as the
// engine does.
type retailServer struct {
	*httptest.Server
	t testing.TB
}

func startRetail(t testing.TB, change ...func(*worldOptions)) retailServer {
	t.Helper()
	o := worldOptions{Environment: "sandbox", Now: retailTime}
	for _, f := range change {
		f(&o)
	}
	services := retailServices(o)
	var base string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		stem, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
		r = r.WithContext(withCall(r.Context(), call{Service: stem, BaseURL: base + "/" + stem}))
		services[stem].ServeHTTP(w, below(r, "/"+rest))
	}))
	base = server.URL
	t.Cleanup(server.Close)
	server.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return retailServer{server, t}
}

// got is one answer, read.
type got struct {
	t      testing.TB
	status int
	header http.Header
	body   string
	json   func() (any, error) // the body, decoded once
}

// send makes one request; header is name, value, and so on.
func (s retailServer) send(method, target, body string, header ...string) got {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.URL+target, strings.NewReader(body))
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, target, err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := s.Client().Do(req)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, target, err)
	}
	defer resp.Body.Close()
	read, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatalf("%s %s: read: %v", method, target, err)
	}
	decode := sync.OnceValues(func() (v any, err error) {
		dec := json.NewDecoder(bytes.NewReader(read))
		dec.UseNumber()
		err = dec.Decode(&v)
		return v, err
	})
	return got{s.t, resp.StatusCode, resp.Header, string(read), decode}
}

// json sends with Accept: application/json, as most clients do.
func (s retailServer) json(method, target, body string) got {
	s.t.Helper()
	return s.send(method, target, body, "Accept", "application/json")
}

// value returns what is at a dotted path of the JSON answer, as text: "#" is
// the length of a list or object, a number an element. Missing is "<none>".
func (g got) value(path string) string {
	g.t.Helper()
	v, err := g.json()
	if err != nil {
		g.t.Fatalf("answer is no JSON: %v\n%.300s", err, g.body)
	}
	for name := range strings.SplitSeq(path, ".") {
		switch node := v.(type) {
		case []any:
			at, err := strconv.Atoi(name)
			switch {
			case name == "#":
				v = len(node)
			case err != nil || at >= len(node):
				return "<none>"
			default:
				v = node[at]
			}
		case map[string]any:
			var ok bool
			if v, ok = node[name]; name == "#" {
				v = len(node)
			} else if !ok {
				return "<none>"
			}
		default:
			return "<none>"
		}
	}
	return fmt.Sprint(v)
}

// want checks the status and then "path=value" claims about the JSON.
func (g got) want(status int, claims ...string) got {
	g.t.Helper()
	if g.status != status {
		g.t.Fatalf("status = %d, want %d\n%.400s", g.status, status, g.body)
	}
	for _, claim := range claims {
		path, value, _ := strings.Cut(claim, "=")
		if have := g.value(path); have != value {
			g.t.Errorf("%s = %q, want %q\n%.400s", path, have, value, g.body)
		}
	}
	return g
}

// retailCase is one row of a service's table.
type retailCase struct {
	name   string
	method string // "" is GET
	target string
	body   string
	accept string // "" is none
	status int
	claims []string
}

// runCases runs a table against one fresh environment, rows in order: what a
// row writes, the next can read.
func runCases(t *testing.T, cases []retailCase) {
	s := startRetail(t)
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			s := retailServer{s.Server, t}
			method := tc.method
			if method == "" {
				method = http.MethodGet
			}
			var header []string
			if tc.accept != "" {
				header = []string{"Accept", tc.accept}
			}
			s.send(method, tc.target, tc.body, header...).want(tc.status, tc.claims...)
		})
	}
}
