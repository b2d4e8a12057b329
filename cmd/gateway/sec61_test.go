package main

import (
	"net/http"
	"strings"
	"testing"
)

// SEC-61: every change of the admin API wants its token, POST and JSON, and no
// page of a browser gets through; the callers' port has none of it.
func TestSEC61AdminOfAWholeGateway(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{flags: adminTokenFlags()})
	ask := func(method, path, body string, edit func(http.Header)) int {
		t.Helper()
		return r.ask(t, method, path, body, edit).StatusCode
	}
	changes := []string{
		pathTokenInvalidate, pathTokenRetry, pathBreakerOpen, pathBreakerClose, pathBreakerReset, pathCachePurge,
		pathServicePing, pathConfigReload, pathQuotaBlock, pathQuotaUnblock,
	}
	for _, path := range changes {
		for name, test := range map[string]struct {
			method string
			edit   func(http.Header)
			want   int
		}{
			"GET":          {http.MethodGet, func(http.Header) {}, http.StatusMethodNotAllowed},
			"no token":     {http.MethodPost, func(h http.Header) { h.Del("Authorization") }, http.StatusUnauthorized},
			"a wrong one":  {http.MethodPost, func(h http.Header) { h.Set("Authorization", "Bearer x") }, http.StatusUnauthorized},
			"a caller's":   {http.MethodPost, func(h http.Header) { h.Set("Authorization", "Bearer "+r.key) }, http.StatusUnauthorized},
			"plain text":   {http.MethodPost, func(h http.Header) { h.Set("Content-Type", "text/plain") }, http.StatusUnsupportedMediaType},
			"another page": {http.MethodPost, func(h http.Header) { h.Set("Origin", "http://evil.test") }, http.StatusForbidden},
		} {
			if got := ask(test.method, path, "{}", test.edit); got != test.want {
				t.Errorf("%s, %s: %d, want %d", path, name, got, test.want)
			}
		}
		for _, trick := range []string{path + "/", "/" + path, strings.Replace(path, "/v1", "%2fv1", 1), "/livez/.." + path, "/readyz" + path} {
			if got := ask(http.MethodPost, trick, "{}", func(h http.Header) { h.Del("Authorization") }); got != http.StatusUnauthorized && got != http.StatusNotFound && got != http.StatusMethodNotAllowed {
				t.Errorf("%s without a token: %d", trick, got)
			}
		}
	}
	for _, path := range []string{"/debug/pprof/", "/debug/vars", "/debug/pprof/heap"} {
		if got := ask(http.MethodGet, path, "", func(http.Header) {}); got == http.StatusOK {
			t.Errorf("%s: %d on the admin port", path, got)
		}
	}
	for _, path := range append(changes, "/metrics", "/debug/pprof/", "/debug/vars", "/livez", "/readyz", "/version", pathCallers) {
		if got := r.do(t, http.MethodGet, path, ""); got.StatusCode != http.StatusNotFound && got.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %d on the callers' port", path, got.StatusCode)
		}
	}
}
