package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Which requests share a bucket, and who may count on what in it.
func TestBuckets(t *testing.T) {
	const head = `version: 1
environments: {sim: {url: "http://127.0.0.1:19900/{service}"}}
callers:
  app:
    access: [{credential: a, services: {crm: read}}]
    keys: [{id: k1, sha256: "0000000000000000000000000000000000000000000000000000000000000001"}]
    share: {guarantee: 10%}
  batch:
    access: [{credential: b, services: {crm: read}}]
    keys: [{id: k2, sha256: "0000000000000000000000000000000000000000000000000000000000000002"}]
credentials:
  a: {environment: sim, client_id: one, client_secret: s, username: u, password: pGROUP_A}
  b: {environment: sim, client_id: CLIENT_B, client_secret: s, username: v, password: pGROUP_B}
services: {crm: {SERVICE}}
`
	tests := map[string]struct {
		groupA, clientB, groupB, service string
		want                             []string
	}{
		"users of one client share": {"", "one", "", "", []string{"authenticated/: a b: app 10%, batch none"}},
		"two clients do not":        {"", "two", "", "", []string{"authenticated/a: a: app 10%", "authenticated/b: b: batch none"}},
		"scope credential":          {"", "one", "", "quota: {scope: credential}", []string{"authenticated/a: a: app 10%", "authenticated/b: b: batch none"}},
		"scope egress":              {"", "two", "", "quota: {scope: egress}", []string{"authenticated/: a b: app 10%, batch none"}},
		"a group joins clients":     {", quota_group: g", "two", ", quota_group: g", "quota: {scope: credential}", []string{"authenticated/: a b: app 10%, batch none"}},
		"a group and a loner":       {", quota_group: g", "one", "", "", []string{"authenticated/b: b: batch none", "authenticated/g: a: app 10%"}},
		"the service's shares come first": {
			"", "one", "", "quota: {shares: {app: 20%, elsewhere: 5}}",
			[]string{"authenticated/: a b: app 20%, batch none, elsewhere 5"},
		},
		"anonymous paths are counted apart, of all together": {
			"", "two", "", "anonymous: [/v1/public**]",
			[]string{"anonymous/: a b: app 10%, batch none", "authenticated/a: a: app 10%", "authenticated/b: b: batch none"},
		},
		"an anonymous service": {"", "two", "", "authentication: anonymous", []string{"anonymous/: a b: app 10%, batch none"}},
		"kind none":            {"", "two", "", "quota: {kind: none}", nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			document := strings.NewReplacer("GROUP_A", tt.groupA, "CLIENT_B", tt.clientB, "GROUP_B", tt.groupB, "SERVICE", tt.service).Replace(head)
			if strings.Contains(tt.service, "elsewhere") {
				document = strings.Replace(document, "callers:\n", "callers:\n  elsewhere: {access: [{credential: a, services: {pricing: read}}], keys: [{id: k3, sha256: \"0000000000000000000000000000000000000000000000000000000000000003\"}]}\n", 1)
			}
			var got []string
			for _, b := range mustLoad(t, LoadOptions{}, document, nil).Buckets() {
				if b.Service.Name != "crm" {
					continue
				}
				var shares []string
				for _, caller := range slices.Sorted(maps.Keys(b.Shares)) {
					shares = append(shares, caller+" "+b.Shares[caller].Guarantee.String())
				}
				got = append(got, fmt.Sprintf("%s/%s: %s: %s", b.Policy, b.Of, strings.Join(b.Credentials, " "), strings.Join(shares, ", ")))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
