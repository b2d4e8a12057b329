package observability_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"iqgateway/observability"
)

func ask(h http.Handler, method, target string, edit ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	r.Host = "127.0.0.1:9090"
	for _, e := range edit {
		e(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestReadinessTellsDegradedFromUnready(t *testing.T) {
	ok := func() error { return nil }
	ill := func() error { return errors.New("connection refused") }
	tests := []struct {
		name     string
		required func() error
		optional func() error
		status   int
		verbose  string
	}{
		{"all well", ok, ok, 200, "[+] configuration ok\n[+] token ok\nok\n"},
		{"a missing dependency degrades", ok, ill, 200, "[+] configuration ok\n[!] token degraded: connection refused\ndegraded\n"},
		{"a missing condition is not ready", ill, ok, 503, "[-] configuration failed: connection refused\n[+] token ok\nnot ready\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			options := observability.AdminOptions{
				Metrics: http.NotFoundHandler(),
				Checks:  []observability.Check{{Name: "configuration", Required: true, Err: tt.required}, {Name: "token", Err: tt.optional}},
			}
			h := observability.Admin(options)
			if w := ask(h, http.MethodGet, "/readyz?verbose"); w.Code != tt.status || w.Body.String() != tt.verbose {
				t.Errorf("%d %q", w.Code, w.Body)
			}
			status := observability.Status(options)
			if w := ask(status, http.MethodGet, "/readyz?verbose"); w.Code != tt.status || w.Body.String() != strings.ReplaceAll(tt.verbose, ": connection refused", "") {
				t.Errorf("on the status listener: %d %q", w.Code, w.Body)
			}
			short := tt.verbose[strings.LastIndex(strings.TrimSuffix(tt.verbose, "\n"), "\n")+1:]
			if w := ask(h, http.MethodGet, "/readyz"); w.Body.String() != short {
				t.Errorf("short form %q, want %q", w.Body, short)
			}
		})
	}
}

// REL-46: what is not ready is alive; only what a restart helps is not.
func TestREL46Liveness(t *testing.T) {
	var stuck error
	h := observability.Status(observability.AdminOptions{
		Metrics: http.NotFoundHandler(), Alive: func() error { return stuck },
		Checks: []observability.Check{{Name: "serving", Required: true, Err: func() error { return errors.New("draining") }}},
	})
	if ready, live := ask(h, http.MethodGet, "/readyz"), ask(h, http.MethodGet, "/livez"); ready.Code != 503 || live.Code != 200 {
		t.Errorf("draining: ready %d, live %d", ready.Code, live.Code)
	}
	stuck = errors.New("not answered: quota")
	if live := ask(h, http.MethodGet, "/livez"); live.Code != 503 || live.Body.String() != "not answered: quota\n" {
		t.Errorf("stuck: %d %q", live.Code, live.Body)
	}
}

func TestSEC61AdminKeepsWebPagesOut(t *testing.T) {
	h := observability.Admin(observability.AdminOptions{Metrics: http.NotFoundHandler(), Hosts: []string{"gw-admin.corp.example"}, Version: "1"})
	status := observability.Status(observability.AdminOptions{Metrics: http.NotFoundHandler()})
	host := func(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }
	from := func(pairs ...string) func(*http.Request) {
		return func(r *http.Request) {
			r.Host = "127.0.0.1:9090"
			for i := 0; i < len(pairs); i += 2 {
				r.Header.Set(pairs[i], pairs[i+1])
			}
		}
	}
	tests := []struct {
		name   string
		h      http.Handler
		method string
		path   string
		edit   func(*http.Request)
		want   int
	}{
		{"loopback", h, "GET", "/livez", host("127.0.0.1:9090"), 200},
		{"IPv6 loopback", h, "GET", "/livez", host("[::1]:9090"), 200},
		{"localhost", h, "GET", "/livez", host("LocalHost."), 200},
		{"configured name", h, "GET", "/version", host("gw-admin.corp.example:9090"), 200},
		{"rebound name", h, "GET", "/version", host("evil.test"), 403},
		{"foreign page", h, "GET", "/version", func(r *http.Request) { r.Header.Set("Origin", "http://evil.test") }, 403},
		{"own page", h, "GET", "/version", from("Origin", "http://127.0.0.1:9090", "Sec-Fetch-Site", "same-origin"), 200},
		{"own page behind TLS", h, "GET", "/version", from("Origin", "https://127.0.0.1:9090"), 200},
		{"page of another port", h, "GET", "/version", from("Origin", "http://127.0.0.1:8080", "Sec-Fetch-Site", "same-site"), 403},
		{"page without an origin", h, "GET", "/version", from("Origin", "null"), 403},
		{"address typed", h, "GET", "/version", from("Sec-Fetch-Site", "none", "Sec-Fetch-Mode", "navigate"), 200},
		{"link followed", h, "GET", "/version", from("Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"), 200},
		{"link into the API", h, "GET", "/api/v1/things", from("Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"), 403},
		{"picture of another site", h, "GET", "/version", from("Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors"), 403},
		{"post", h, "POST", "/livez", host("localhost"), 405},
		{"unknown", h, "GET", "/debug/pprof/", host("localhost"), 404},
		{"status by any name", status, "GET", "/livez", host("pod-1"), 200},
		{"status has no version", status, "GET", "/version", host("pod-1"), 404},
	}
	for _, tt := range tests {
		if w := ask(tt.h, tt.method, tt.path, tt.edit); w.Code != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, w.Code, tt.want)
		}
	}
}
