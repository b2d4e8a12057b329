package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// Whatever a caller sends counts, also what leads nowhere and what it may not do.
func TestCallersLimitCountsEverything(t *testing.T) {
	r := newRig(t, rigOptions{
		access: `{catalogs: read}`,
		flags:  []string{"--set", "callers.storefront.rate_limit.rate=1/1h", "--set", "callers.storefront.rate_limit.burst=5"},
	})
	r.do(t, http.MethodGet, "/nowhere/v1", "").want(t, http.StatusNotFound)
	r.do(t, http.MethodGet, customers, "").want(t, http.StatusForbidden)
	r.do(t, http.MethodGet, catalogItems, "").want(t, http.StatusOK)
	var me meDocument
	if err := json.Unmarshal([]byte(r.do(t, http.MethodGet, pathMe, "").want(t, http.StatusOK).text), &me); err != nil {
		t.Fatal(err)
	}
	if l := me.Limits; l == nil || l.Rate != "1/1h0m0s" && l.Rate != "1/1h" || l.Burst != 5 || l.Remaining == nil || *l.Remaining != 1 || l.InFlight != 1 {
		t.Errorf("limits: %+v", me.Limits)
	}
	r.do(t, http.MethodGet, "/nowhere/v1", "").want(t, http.StatusNotFound)
	for _, target := range []string{"/nowhere/v1", customers, catalogItems, pathMe} {
		if a := r.do(t, http.MethodGet, target, "").want(t, http.StatusTooManyRequests); !strings.Contains(a.text, "caller-rate-exceeded") {
			t.Errorf("%s: %s", target, a.text)
		}
	}
}
