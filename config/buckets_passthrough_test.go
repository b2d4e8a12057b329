package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What callers do with their own tokens is counted apart, of each of them, and
// changes no name of what there was before; the egress address is everybody's.
func TestBucketsOfOwnTokens(t *testing.T) {
	const head = `version: 1
environments: {sim: {url: "http://127.0.0.1:19900/{service}"}}
callers:
  app:
    access:
      - {credential: a, default: true, services: {crm: read}}
      - {credential: passthrough, until: "2099-12-31", environment: sim, services: {crm: read}}
    keys: [{id: k1, sha256: "0000000000000000000000000000000000000000000000000000000000000001"}]
    share: {guarantee: 10%, cap: 20%}
  batch:
    access: [{credential: passthrough, until: "2099-12-31", environment: sim, services: {crm: read}}]
    keys: [{id: k2, sha256: "0000000000000000000000000000000000000000000000000000000000000002"}]
credentials:
  a: {environment: sim, client_id: one, client_secret: s, username: u, password: p}
services: {crm: {SERVICE}}
`
	own := []string{"authenticated/passthrough:app: passthrough:app: app none none", "authenticated/passthrough:batch: passthrough:batch: batch none none"}
	tests := map[string]struct {
		service string
		want    []string
	}{
		"scope client":         {"", append([]string{"authenticated/: a: app 10% 20%"}, own...)},
		"scope credential":     {"quota: {scope: credential}", append([]string{"authenticated/: a: app 10% 20%"}, own...)},
		"the service's shares": {"quota: {shares: {app: 30%}}", append([]string{"authenticated/: a: app 30% none"}, own...)},
		"scope egress":         {"quota: {scope: egress}", []string{"authenticated/: a passthrough:app passthrough:batch: app 10% 20%, batch none none"}},
		"an anonymous service": {"authentication: anonymous", []string{"anonymous/: a passthrough:app passthrough:batch: app 10% 20%, batch none none"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, b := range mustLoad(t, LoadOptions{}, strings.Replace(head, "SERVICE", tt.service, 1), nil).Buckets() {
				if b.Service.Name != "crm" {
					continue
				}
				var shares []string
				for _, caller := range slices.Sorted(maps.Keys(b.Shares)) {
					shares = append(shares, fmt.Sprintf("%s %s %s", caller, b.Shares[caller].Guarantee, b.Shares[caller].Cap))
				}
				got = append(got, fmt.Sprintf("%s/%s: %s: %s", b.Policy, b.Of, strings.Join(b.Credentials, " "), strings.Join(shares, ", ")))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
