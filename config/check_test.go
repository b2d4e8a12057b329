package config

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// accounts is the part of a document that the cases below share.
const accounts = `version: 1
credentials:
  retail: {environment: sandbox, client_id: a, client_secret: "${env:S}", username: u, password: "${env:S}"}
  second: {environment: sandbox, client_id: b, client_secret: "${env:S}", username: w, password: "${env:S}"}
  third: {environment: sandbox, client_id: b, client_secret: "", username: v, password: "${env:S}"}
  live: {environment: production, client_id: c, client_secret: "${env:S}", username: u, password: "${env:S}"}
`

func shop(rest string) string {
	return "callers:\n  shop:\n    keys: [{id: k, sha256: 3f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a01}]\n" + rest
}

// What looks like a mistake but can be meant loads, with the warning given.
func TestAccepted(t *testing.T) {
	const readAll = "    access: [{credential: retail, services: {\"*\": read}}]\n"
	tests := []struct{ name, text, warning string }{
		{"two credentials, one marked", shop("    access:\n      - {credential: retail, default: true, services: {crm: read}}\n      - {credential: second, services: {\"*\": read}}\n"), ""},
		{"two credentials for different services", shop("    access:\n      - {credential: retail, services: {crm: read}}\n      - {credential: second, services: {catalogs: read}}\n"), ""},
		{"three credentials, the first marked", shop("    access:\n      - {credential: retail, default: true, services: {crm: read}}\n      - {credential: second, services: {crm: read}}\n      - {credential: third, services: {crm: read}}\n"), ""},
		{"three credentials, the second marked", shop("    access:\n      - {credential: retail, services: {crm: read}}\n      - {credential: second, default: true, services: {crm: read}}\n      - {credential: third, services: {crm: read}}\n"), ""},
		{"three credentials, the last marked", shop("    access:\n      - {credential: retail, services: {crm: read}}\n      - {credential: second, services: {crm: read}}\n      - {credential: third, default: true, services: {crm: read}}\n"), ""},
		{"two defaults for different services", shop("    access:\n      - {credential: retail, default: true, services: {crm: read}}\n      - {credential: second, default: true, services: {catalogs: read}}\n"), ""},
		{"two defaults in different environments", shop("    access:\n      - {credential: retail, default: true, services: {crm: read}}\n      - {credential: live, default: true, services: {crm: read}}\n"), ""},
		{"two environments", shop("    access:\n      - {credential: retail, services: {crm: read}}\n      - {credential: live, services: {crm: read}}\n"), ""},
		{"* does not cover sensitive services", shop("    access:\n      - {credential: retail, services: {\"*\": read}}\n      - {credential: second, services: {usermanager: read}}\n"), ""},
		{"exactly 80 %", shop(readAll + "    share: {guarantee: 80%}\n"), ""},
		{"guarantees in different buckets", shop(readAll+"    share: {guarantee: 50%}\n") +
			"  other:\n    keys: [{id: l, sha256: 3f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a02}]\n    share: {guarantee: 50%}\n    access: [{credential: second, services: {\"*\": read}}]\n", ""},
		{"a wait above an inherited total is cut", "defaults: {quota: {max_wait: {batch: 119s}}}\nservices: {crm: {timeouts: {total: 10s}}}\n" + shop(readAll), ""},
		{
			"a written wait above the default total", "services: {crm: {quota: {max_wait: {batch: 130s}}}}\n" + shop(readAll),
			"services.crm.quota.max_wait.batch: is longer than the total timeout, cut from 2m10s to timeouts.total (default)",
		},
		{"plain HTTP on loopback", "environments: {sim: {url: \"http://127.0.0.1:1/{service}\"}}\n", ""},
		{"plain HTTP on purpose", "environments: {sim: {url: \"http://{service}.example.com\", allow_plaintext: true}}\nserver: {address: \"0.0.0.0:80\", tls: {mode: none, allow_plaintext: true}}\n", ""},
		{
			"a fixed URL for one environment", "environments: {production: {}, sandbox: {services: {taxes: {url: https://taxes.example.com}}}}\n",
			"environments.sandbox.services.taxes: no caller can reach this service",
		},
		{"an expired key", strings.Replace(shop(readAll), "}]", ", expires: \"2026-01-31\"}]", 1), "callers.shop.keys[0].expires: the key expired on 2026-01-31"},
		{"an access that ended", shop("    access: [{credential: retail, until: \"2026-01-31\", services: {\"*\": read}}]\n"), "callers.shop.access[0].until: this access ended on 2026-01-31"},
		{"the last day of a key", strings.Replace(shop(readAll), "}]", ", expires: \"2026-02-01\"}]", 1), ""},
		{"nobody", "callers: {shop: {access: [{credential: retail, services: {crm: read}}]}}\n", "callers.shop: has no keys, certificates or subjects: nobody can be this caller"},
		{"an example key on loopback", strings.Replace(shop(readAll), "3f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a01", exampleKeys()[0], 1), ""},
		{"an unreachable service", "services: {usermanager: {sensitive: true}}\n" + shop(readAll), "services.usermanager: no caller can reach this service"},
		{
			"lost denials", "services: {accounts: {denied: [/v1/x]}}\n" + shop("    access: [{credential: retail, services: {accounts: read}}]\n"),
			"services.accounts.denied: replaces what the catalogue denies: add /** to keep it denied",
		},
		{"Redis without keys", "redis: {addresses: [\"a:1\"]}\n", "redis: has no encryption_keys: tokens and certificates stay out of Redis, so each replica gets its own"},
		{
			"a share of what its caller may not use", "services: {usermanager: {quota: {shares: {shop: 20%}}}, crm: {quota: {shares: {shop: 20%}}}}\n" +
				shop("    access: [{credential: retail, services: {\"*\": read}}]\n  admin:\n    keys: [{id: l, sha256: 3f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a02}]\n    access: [{credential: retail, services: {usermanager: read}}]\n"),
			"services.usermanager.quota.shares.shop: has no effect: callers.shop.access does not have usermanager",
		},
		{"a share in one environment of two", "services: {crm: {quota: {shares: {shop: 20%}}}}\n" + shop("    access: [{credential: live, services: {crm: read}}]\n"), ""},
		{"nothing is counted", "services: {crm: {quota: {kind: none, max: 5}}}\n" + shop(readAll), "services.crm.quota.max: has no effect: quota.kind is none: nothing is counted"},
		{"nothing is counted of a service with defaults", "defaults: {quota: {max: 900}}\nservices: {availability: {quota: {kind: none}}}\n" + shop(readAll), ""},
		{"slots with a rate", "services: {dataconnect: {quota: {assume: 8/1s}}}\n" + shop(readAll), "services.dataconnect.quota.assume: has no effect: kind concurrency has no window: set quota.max alone"},
		{"dataconnect with 8 slots", "services: {dataconnect: {quota: {shares: {shop: 20%}}}}\n" + shop(readAll), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			now := time.Date(2026, 2, 1, 12, 0, 0, 0, time.UTC)
			_, warnings, err := loadText(t, LoadOptions{Environ: []string{"S=x"}, Now: now}, accounts+tt.text, nil)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, w := range warnings {
				got = append(got, w.Key+": "+w.Text)
			}
			var want []string
			if tt.warning != "" {
				want = []string{tt.warning}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("warnings (-want +got)\n%s", diff)
			}
		})
	}
}

// Refusals are counted by credential, but the provider locks the user.
func TestOneUserOfTwoCredentials(t *testing.T) {
	const text = `version: 1
credentials:
  a: {environment: sandbox, client_id: a, client_secret: "${env:S}", username: u, password: "${env:S}"}
  b: {environment: sandbox, client_id: b, client_secret: "${env:S}", username: u, password: "${env:S}"}
  elsewhere: {environment: production, client_id: a, client_secret: "${env:S}", username: u, password: "${env:S}"}
`
	_, warnings, err := loadText(t, LoadOptions{Environ: []string{"S=x"}}, text, nil)
	if err != nil || len(warnings) != 1 || warnings[0].Key != "credentials.b" || !strings.Contains(warnings[0].Text, "the same user as credentials.a") {
		t.Errorf("warnings %v, %v", warnings, err)
	}
}

// Paths that hand out or end tokens stay denied whatever a list replaces.
func TestTokenPathsStayDenied(t *testing.T) {
	c := mustLoad(t, LoadOptions{Environ: []string{"S=x"}}, accounts+"services: {taxes: {host: taxes, denied: [/v1/x]}}\n", nil)
	e, _ := c.Environment("production")
	taxes, _ := e.Service("taxes")
	denied := map[string]bool{}
	for _, p := range taxes.Denied {
		denied[p.String()] = true
	}
	if !denied["/v1/x"] || !denied["/logout"] {
		t.Errorf("denied are %v", taxes.Denied)
	}
	if got := taxes.Source("denied[0]"); got != "conf/gateway.yaml:7" {
		t.Errorf("the configured denial comes from %s", got)
	}
}

// The catalogue's rules stay beside those of the configuration.
func TestCatalogueRulesAreKept(t *testing.T) {
	const text = "services: {entitymanager: {cache: {rules: [{path: /v1/x, ttl: 1m}]}}}\n"
	c := mustLoad(t, LoadOptions{Environ: []string{"S=x"}}, accounts+text, nil)
	e, _ := c.Environment("production")
	s, _ := e.Service("entities") // an alias
	if len(s.Cache.Rules) != 1 || s.Cache.Rules[0].Path.String() != "/v1/x" || len(s.CatalogueRules) < 2 {
		t.Errorf("%d rules, %d of the catalogue", len(s.Cache.Rules), len(s.CatalogueRules))
	}
	// As configured rules they would hold even under "catalogue: ignore".
	s, _ = e.Service("catalogs")
	if len(s.Cache.Rules) != 0 || len(s.CatalogueRules) < 2 {
		t.Errorf("without rules of its own: %d rules, %d of the catalogue", len(s.Cache.Rules), len(s.CatalogueRules))
	}
}

// Aliases are resolved in access, so that nobody else has to.
func TestAccessHasNames(t *testing.T) {
	c := mustLoad(t, LoadOptions{Environ: []string{"S=x"}}, accounts+shop("    access: [{credential: retail, services: {company-tree: write, \"*\": read}}]\n"), nil)
	want := Access{Credential: "retail", Environment: "sandbox", Services: map[string]Grant{"entitymanager": {Level: "write"}, "*": {Level: "read"}}}
	if diff := cmp.Diff(want, c.Callers["shop"].Access[0]); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
