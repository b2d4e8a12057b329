package main

import (
	"net/http"
	"testing"
)

// A client's own token call can be explained, to operators where it proved
// nobody.
func TestTokenCallsAreExplained(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{extra: tokenEndpointConfig, flags: adminTokenFlags()})
	good := r.do(t, http.MethodPost, "/v1/oauth2/token", clientForm("password", "storefront", r.key), asClient).want(t, http.StatusOK)
	r.own(t, good).says(t, map[string]string{"authenticate": "storefront", "route": "/v1/oauth2/token, which the gateway answers itself", "answer": "200"})
	bad := r.do(t, http.MethodPost, "/v1/oauth2/token", clientForm("password", "storefront", "wrong"), asClient).want(t, http.StatusBadRequest)
	await(t, "the record of the refused call", func() bool {
		return r.ask(t, http.MethodGet, pathRequests+bad.Header.Get("X-Request-Id"), "", func(http.Header) {}).StatusCode == http.StatusOK
	})
	me := r.do(t, http.MethodGet, pathMe, "").want(t, http.StatusOK)
	r.ask(t, http.MethodGet, pathRequests+me.Header.Get("X-Request-Id"), "", func(http.Header) {}).want(t, http.StatusNotFound)
}
