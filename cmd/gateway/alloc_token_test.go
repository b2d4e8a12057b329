package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"iqgateway/auth"
)

// A hit with a gateway token costs no allocation more than one with a key: its
// signature is verified once.
func TestHitAllocationsWithAToken(t *testing.T) {
	upstream, _ := benchOrigin(t, "{}")
	key, digest := auth.NewKey()
	handler := runStages(t, strings.NewReplacer("SIM", upstream.URL, "DIGEST", digest, "DIR", t.TempDir(), "ACCESS", `{"*": write}`,
		"{mode: self_signed}", "{mode: none}", "level: debug", "level: info").Replace(rigConfig)+tokenEndpointConfig)

	call := httptest.NewRequest(http.MethodPost, "/v1/oauth2/token", strings.NewReader(clientForm("password", "storefront", key)))
	call.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	given := httptest.NewRecorder()
	handler.ServeHTTP(given, call)
	token := answer{given.Result(), given.Body.String()}.tokens(t).Access

	measure := func(field, value string) float64 {
		w, values := &countingWriter{header: make(http.Header, 32)}, []string{value}
		r := httptest.NewRequest(http.MethodGet, catalogItems, http.NoBody)
		r.Header = make(http.Header, 8)
		ask := func() {
			clear(w.header)
			w.status = 0
			r.Header[field] = values // the stages take it out
			handler.ServeHTTP(w, r)
			if w.status != http.StatusOK {
				t.Fatalf("answered %d", w.status)
			}
		}
		ask()
		ask()
		if got := w.header.Get("Cache-Status"); !strings.Contains(got, "; hit") {
			t.Fatalf("Cache-Status: %s", got)
		}
		return testing.AllocsPerRun(500, ask)
	}
	withKey, withToken := measure("X-Api-Key", key), measure("Authorization", "Bearer "+token)
	if raceDetector {
		t.Skip("under the race detector pools lose what is put into them")
	}
	if withToken > withKey {
		t.Errorf("%.0f allocations with a token, %.0f with a key", withToken, withKey)
	}
}
