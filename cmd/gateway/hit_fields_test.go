package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"iqgateway/auth"
)

// Nothing of an upstream's session, origin or make comes out of a hit, whatever
// part of the stored answer it is.
func TestHitHidesTheUpstream(t *testing.T) {
	hidden := []string{
		"Set-Cookie", "Server", "X-Powered-By", "X-AspNet-Version", "Strict-Transport-Security", "Www-Authenticate", "Nel",
		"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Arr-Disable-Session-Affinity", "Proxy-Status", "Alt-Svc",
	}
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/token") {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"access_token":"test-token","expires_in":43199}`)
			return
		}
		for _, name := range hidden {
			w.Header().Set(name, "theirs")
		}
		w.Header().Set("Etag", `"5"`)
		w.Header().Set("X-Theirs", "shown")
		_, _ = io.WriteString(w, "0123456789")
	}))
	t.Cleanup(upstream.Close)
	key, digest := auth.NewKey()
	handler := runStages(t, strings.NewReplacer("SIM", upstream.URL, "DIGEST", digest, "DIR", t.TempDir(), "ACCESS", `{"*": write}`,
		"{mode: self_signed}", "{mode: none}").Replace(rigConfig))
	for _, tt := range []struct {
		field, value string
		status       int
		cache        string
		shown        string // X-Theirs
	}{
		{"Accept", "*/*", http.StatusOK, "fwd=uri-miss", "shown"},
		{"Accept", "*/*", http.StatusOK, "hit", "shown"},
		{"Range", "bytes=0-3", http.StatusPartialContent, "hit", "shown"},
		{"Range", "bytes=20-", http.StatusRequestedRangeNotSatisfiable, "hit", ""},
		{"If-None-Match", `"5"`, http.StatusNotModified, "hit", ""},
	} {
		r := httptest.NewRequest(http.MethodGet, "/catalogs/v1/Companies(14146)/Catalog/Items/ByVendorSku?vendorSku=1", http.NoBody)
		r.Header.Set("X-Api-Key", key)
		r.Header.Set("Accept", "*/*")
		r.Header.Set(tt.field, tt.value)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		h := w.Result().Header
		if got := h.Get("Cache-Status"); w.Code != tt.status || !strings.HasPrefix(got, "iqgateway; "+tt.cache) || h.Get("X-Theirs") != tt.shown {
			t.Errorf("%s: %s is answered %d, %s, X-Theirs %q", tt.field, tt.value, w.Code, got, h.Get("X-Theirs"))
		}
		for _, name := range hidden {
			if h.Get(name) != "" {
				t.Errorf("%s: %s is answered with %s", tt.field, tt.value, name)
			}
		}
	}
}
