package main

import (
	"net/http"
	"strings"
	"testing"

	"iqgateway/internal/iqsim/simtest"
	"iqgateway/internal/redistest"
)

// What callers bring, and what they get for their keys, is never in Redis.
func TestOwnTokensStayOutOfRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Single(t)
	o := movingOptions()
	o.extra = tokenEndpointConfig + "redis:\n  addresses: [\"" + strings.Join(server.Addresses(), "\", \"") + "\"]\n"
	r := newRig(t, o)
	own := r.ownToken(t)
	ours := r.do(t, http.MethodPost, "/v1/oauth2/token", clientForm("password", "storefront", r.key), asClient).want(t, http.StatusOK).tokens(t)
	for range 3 {
		r.do(t, http.MethodGet, customers, "", bringing(own)).want(t, http.StatusOK)
		r.do(t, http.MethodGet, "/dataconnect/session", "", bringing(own)).want(t, http.StatusOK)
		r.do(t, http.MethodGet, catalogItems, "", bearing(ours.Access)).want(t, http.StatusOK)
	}
	await(t, "the bucket of its own in Redis", func() bool { return len(server.Dump(t)) > 0 })
	dump := server.Dump(t)
	for _, secret := range []string{own, ours.Access, ours.Refresh, r.key} {
		for key, value := range dump {
			if simtest.Leak(key+value, secret) != "" {
				t.Errorf("a secret (%.12s…) lies in Redis under %q", secret, key)
			}
		}
	}
	r.wantNowhere(t, own, ours.Access, ours.Refresh)
}
