package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iqgateway/cache"
	"iqgateway/config"
)

const cacheConfig = `version: 1
environments: {sim: {url: "http://127.0.0.1:1/{service}"}}
credentials:
  retail: {environment: sim, client_id: a, client_secret: "${env:S}", username: u, password: "${env:S}"}
services:
  crm:
    timeouts: {total: 90s}
    headers: {forward: [x-store]}
    cache:
      mode: MODE
      max_object: 1MiB
      rules:
        - {path: "/v1/**", ttl: 1m}
        - path: /v1/Companies({company})/Customers({id})
          ttl: 30s
          negative_ttl: 10s
          stale_while_revalidate: 1m
          stale_if_error: 1h
          share: caller
          vary: [accept, x-store]
          no_cache: obey
          tags: [people]
          invalidates: ["/v1/Companies({company})/Customers**"]
  order: {cache: {mode: none}}
  catalogs: {cache: {catalogue: CATALOGUE}}
  pricing: {cache: {catalogue: CATALOGUE, mode: MODE}}
callers:
  storefront:
    keys: [{id: s-1, sha256: 1f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08}]
    access: [{credential: retail, services: {crm: write, catalogs: read, pricing: read}}]
`

func loadCache(t *testing.T, mode, catalogue string, change ...string) *config.Config {
	t.Helper()
	text := strings.NewReplacer(append([]string{"MODE", mode, "CATALOGUE", catalogue}, change...)...).Replace(cacheConfig)
	cfg, _, err := config.Load(config.LoadOptions{Path: "gateway.yaml", Data: []byte(text), Now: time.Now(), Environ: []string{"S=x"}})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func simService(name string) cache.ServiceName {
	return cache.ServiceName{Environment: "sim", Service: name}
}

// ruleFor is the first rule that has the path's text.
func ruleFor(t *testing.T, s *cache.Service, path string) cache.Rule {
	t.Helper()
	for _, r := range s.Rules {
		if r.Path.String() == path {
			return r
		}
	}
	t.Fatalf("no rule %s", path)
	return cache.Rule{}
}

func TestCacheServices(t *testing.T) {
	services := cacheServices(loadCache(t, "policy", "apply"))
	if services[simService("order")] != nil {
		t.Error("a service with mode none is a service of the cache")
	}
	crm := services[simService("crm")]
	if crm.Mode != cache.ModePolicy || crm.MaxObject != 1<<20 || crm.FetchTimeout != 90*time.Second || !crm.Writable {
		t.Errorf("%+v", crm)
	}
	if services[simService("catalogs")].Writable {
		t.Error("a service that everybody may only read is writable")
	}
	if diff := cmp.Diff([]string{"X-Store"}, crm.Forward); diff != "" {
		t.Error(diff)
	}
	const customer = "/v1/Companies({company})/Customers({id})"
	got := crm.Rules[0]
	if got.Path.String() != customer || crm.Rules[1].Path.String() != "/v1/**" {
		t.Fatalf("first come %s and %s: want the most specific of the configuration", got.Path, crm.Rules[1].Path)
	}
	if got.TTL != 30*time.Second || got.NegativeTTL != 10*time.Second || got.StaleWhileRevalidate != time.Minute || got.StaleIfError != time.Hour ||
		!got.PerCaller || got.NoCache != cache.NoCacheObey || got.Never || got.Suggest || len(got.Invalidates) != 1 {
		t.Errorf("%+v", got)
	}
	if diff := cmp.Diff([][]string{{"Accept", "X-Store"}, {"people"}}, [][]string{got.Vary, got.Tags}); diff != "" {
		t.Error(diff)
	}
	if r := ruleFor(t, crm, "/v1/Companies({company})/CustomerFull**"); !r.Never || r.TTL != 0 {
		t.Errorf("ttl none of the catalogue: %+v", r)
	}
}

// What becomes of the catalogue's rules; pricing has some that only count.
func TestCacheCatalogue(t *testing.T) {
	t.Parallel()
	const items = "/v1/Companies({company})/Catalog/Items"
	const sku = "/v1/Companies({company})/Catalog/Items/ByVendorSku"
	apply := cacheServices(loadCache(t, "policy", "apply"))[simService("catalogs")]
	if r := ruleFor(t, apply, items); r.TTL != 5*time.Minute || r.Suggest || len(r.Invalidates) == 0 {
		t.Errorf("apply: %+v", r)
	}
	suggest := cacheServices(loadCache(t, "policy", "suggest"))[simService("catalogs")]
	if r := ruleFor(t, suggest, items); !r.Suggest || r.TTL != 5*time.Minute || len(r.Invalidates) == 0 {
		t.Errorf("suggest: %+v", r)
	}
	ignore := cacheServices(loadCache(t, "policy", "ignore"))[simService("catalogs")]
	if r := ruleFor(t, ignore, items); r.TTL != 0 || r.Never || len(r.Invalidates) == 0 {
		t.Errorf("ignore, a rule that knows what a write changes: %+v", r)
	}
	for _, r := range ignore.Rules {
		if r.Path.String() == sku || r.TTL != 0 {
			t.Errorf("ignore keeps %+v", r)
		}
	}
	crm := cacheServices(loadCache(t, "policy", "apply", "catalogs: {cache", "usermanager: {cache: {catalogue: ignore}}\n  catalogs: {cache"))
	if r := ruleFor(t, crm[simService("usermanager")], "/**"); !r.Never {
		t.Errorf("ignoring the catalogue allows to store what it forbids: %+v", r)
	}
}

func TestCacheModeOfTheUpstreamsHeaders(t *testing.T) {
	s := cacheServices(loadCache(t, "rfc9111", "suggest"))[simService("pricing")]
	if s.Mode != cache.ModeRFC9111 {
		t.Fatalf("%+v", s)
	}
	if s.Version == "" || s.Version == cacheServices(loadCache(t, "policy", "suggest"))[simService("pricing")].Version {
		t.Errorf("what no rule names has version %q", s.Version)
	}
	for _, r := range s.Rules {
		if r.Suggest {
			t.Errorf("suggests where the upstream decides: %+v", r)
		}
	}
}

// Any setting that changes what is stored changes the version: another replica,
// or this one after a restart, must not find what was stored by other rules.
func TestCacheRuleVersion(t *testing.T) {
	t.Parallel()
	const customer = "/v1/Companies({company})/Customers({id})"
	version := func(change ...string) string {
		return ruleFor(t, cacheServices(loadCache(t, "policy", "apply", change...))[simService("crm")], customer).Version
	}
	seen := map[string][]string{version(): {"as it is"}}
	for _, change := range [][]string{
		{"127.0.0.1:1", "127.0.0.1:2"},
		{"ttl: 30s", "ttl: 31s"},
		{"negative_ttl: 10s", "negative_ttl: 11s"},
		{"stale_while_revalidate: 1m", "stale_while_revalidate: 2m"},
		{"stale_if_error: 1h", "stale_if_error: 2h"},
		{"share: caller", "share: credential"},
		{"vary: [accept, x-store]", "vary: [accept]"},
		{"tags: [people]", "tags: [persons]"},
		{"max_object: 1MiB", "max_object: 1MiB\n      targeted: true"},
		{"timeouts: {total: 90s}", "authentication: anonymous"},
	} {
		v := version(change...)
		if same := seen[v]; same != nil {
			t.Errorf("%q has the version of %q", change, same)
		}
		seen[v] = change
	}
	if version("no_cache: obey", "no_cache: limit") != version() {
		t.Error("what a caller may ask for does not change what is stored")
	}
}

func TestExplainCache(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		mode, catalogue, request string
		value, source            string
	}{
		"a rule of the configuration": {
			"policy", "apply", "GET /crm/v1/Companies(1)/Customers(2)",
			"/v1/Companies({company})/Customers({id}) for 30s, shared by caller", "gateway.yaml:14",
		},
		"the catalogue's": {
			"policy", "apply", "GET /catalogs/v1/Companies(1)/Catalog/Items(2)/Structure",
			"/v1/Companies({company})/Catalog/Items({item})/Structure for 15m0s, shared by credential", "catalogue, apply",
		},
		"only suggested": {
			"policy", "suggest", "GET /catalogs/v1/Companies(1)/Catalog/Items(2)/Structure",
			"not stored: /v1/Companies({company})/Catalog/Items({item})/Structure only suggests 15m0s", "catalogue, suggest",
		},
		"ignored":                    {"policy", "ignore", "GET /catalogs/v1/Companies(1)/Catalog/Items(2)/Structure", "not stored: no rule matches", "default"},
		"ignored but for its writes": {"policy", "ignore", "GET /catalogs/v1/Companies(1)/Catalog/Items", "not stored: no rule matches", "default"},
		"a write":                    {"policy", "apply", "PUT /crm/v1/Companies(1)/Customers(2)", "not stored: it writes, and drops what it may change", "built in"},
		"the upstream's own headers": {"rfc9111", "apply", "GET /crm/v1/Companies(1)/Customers(2)", "as the upstream's own headers say", "gateway.yaml:10"},
		"nothing matches":            {"policy", "apply", "GET /pricing/v1/none", "not stored: no rule matches", "gateway.yaml:26"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			method, url, _ := strings.Cut(tt.request, " ")
			e, err := explain(loadCache(t, tt.mode, tt.catalogue), explainQuery{caller: "storefront", method: method, url: url})
			if err != nil || !e.Allowed {
				t.Fatalf("%+v, %v", e, err)
			}
			for _, f := range e.Facts {
				if f.Name == "cache" && (f.Value != tt.value || !strings.HasPrefix(f.Source, tt.source)) {
					t.Errorf("%q from %q, want %q from %q", f.Value, f.Source, tt.value, tt.source)
				}
			}
		})
	}
}

// What else the rules say for a request is a line each, and nothing more.
func TestExplainCacheRule(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		mode, request string
		want          []string
	}{
		"all that a rule says": {"policy", "GET /crm/v1/Companies(1)/Customers(2)", []string{
			"cache.negative_ttl 10s", "cache.stale_while_revalidate 1m0s", "cache.stale_if_error 1h0m0s", "cache.no_cache obey",
			"cache.vary accept, x-store", "cache.tags people",
		}},
		"what it leaves open":     {"policy", "GET /crm/v1/Companies(1)", []string{"cache.no_cache limit", "cache.vary Accept, Accept-Language"}},
		"the upstream's times":    {"rfc9111", "GET /crm/v1/Companies(1)/Customers(2)", []string{"cache.vary accept, x-store", "cache.tags people"}},
		"a write, as it is taken": {"policy", "PUT /crm/V1/companies(1)/customers(2)", []string{"cache.invalidates /v1/Companies({company})/Customers**"}},
		"a write of no rule":      {"policy", "PUT /crm/v1/x", nil},
		"a rule against it":       {"policy", "GET /crm/v1/Companies(1)/CustomerFull(2)", nil},
		"no rule":                 {"policy", "GET /pricing/v1/none", nil},
		"off":                     {"none", "GET /crm/v1/Companies(1)/Customers(2)", nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			method, url, _ := strings.Cut(tt.request, " ")
			change := `- {path: "/v1/Companies({company})/CustomerFull**", ttl: none}` + "\n        - {path: \"/v1/**\", ttl: 1m}"
			cfg := loadCache(t, tt.mode, "apply", `- {path: "/v1/**", ttl: 1m}`, change)
			e, err := explain(cfg, explainQuery{caller: "storefront", method: method, url: url})
			if err != nil || !e.Allowed {
				t.Fatalf("%+v, %v", e, err)
			}
			var got []string
			for _, f := range e.Facts {
				if !strings.HasPrefix(f.Name, "cache.") {
					continue
				}
				if got = append(got, f.Name+" "+f.Value); !strings.HasPrefix(f.Source, "gateway.yaml:") {
					t.Errorf("%s comes from %q", f.Name, f.Source)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// A path that the upstream takes for one with ttl none is not stored either.
func TestExplainRestrictionInAnotherSpelling(t *testing.T) {
	cfg := loadCache(t, "policy", "apply", `- {path: "/v1/**", ttl: 1m}`, `- {path: "/v1/secret**", ttl: none}`)
	e, err := explain(cfg, explainQuery{caller: "storefront", method: "GET", url: "/crm/V1/%53ecret(1)"})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range e.Facts {
		if f.Name == "cache" && f.Value != "not stored: /v1/secret** has ttl none" {
			t.Errorf("%q", f.Value)
		}
	}
}
