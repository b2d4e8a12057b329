package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

const catalogItems = "/catalogs/v1/Companies(14146)/Catalog/Items"

// tree is written below itself, which costs a stale copy's reader a 409.
const companyTree = "/entitymanager/v1/Companies(14146)/Tree"

// A node of the tree, and a valid change of it.
const (
	companyNode = companyTree + "/Nodes(14203)"
	renamedNode = `{"Name":"Grasslands East","Version":1}`
)

func cacheControl(value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Cache-Control", value) }
}

func TestCacheThroughTheStack(t *testing.T) {
	r := newRig(t, rigOptions{})
	first := r.do(t, http.MethodGet, catalogItems, "").want(t, http.StatusOK)
	if got := first.Header.Get("Cache-Status"); !strings.HasPrefix(got, "iqgateway; fwd=uri-miss") || first.Header.Get("Age") != "" {
		t.Errorf("the first answer has Cache-Status %q, Age %q", got, first.Header.Get("Age"))
	}
	again := r.do(t, http.MethodGet, catalogItems, "").want(t, http.StatusOK)
	if again.text != first.text || again.Header.Get("X-Request-Id") == first.Header.Get("X-Request-Id") {
		t.Errorf("another answer, or another's request id %s", again.Header.Get("X-Request-Id"))
	}
	for name, want := range map[string]string{
		"Cache-Status": `^iqgateway; hit; ttl=\d+`, "Age": `^\d+$`, "Via": `^1.1 iqgateway$`,
		"X-Ratelimit-Limit": `^\d+$`, "Ratelimit": `^"catalogs-authenticated";r=\d+`, "Server-Timing": `^cache;dur=\d`,
	} {
		if got := again.Header.Get(name); !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("a hit has %s %q, want %s", name, got, want)
		}
	}
	if n := len(r.calls("catalogs")); n != 1 {
		t.Errorf("%d upstream calls, want 1", n)
	}
	none := r.do(t, http.MethodGet, catalogItems+"?x=1", "", cacheControl("only-if-cached")).want(t, http.StatusGatewayTimeout)
	if status, timing := none.Header.Get("Cache-Status"), none.Header.Get("Server-Timing"); status != "iqgateway; detail=only-if-cached" || !strings.HasPrefix(timing, "cache;dur=") {
		t.Errorf("only-if-cached: Cache-Status %q, Server-Timing %q", status, timing)
	}
	if n := len(r.calls("catalogs")); n != 1 {
		t.Errorf("only-if-cached went upstream: %d calls", n)
	}
	for line := range strings.Lines(r.logs.String()) {
		var access struct{ Msg, Cache, Service string }
		if json.Unmarshal([]byte(line), &access) == nil && access.Msg == "request" && access.Service == "catalogs" && access.Cache == "" {
			t.Errorf("an access line does not say what the cache did: %s", line)
		}
	}
	metrics := r.get(t, "http://"+r.Admin+"/metrics").text
	for _, want := range []string{
		`iqgw_cache_requests_total{caller="storefront",environment="sim",result="hit",service="catalogs"} 1`,
		`iqgw_cache_saved_tokens_total{caller="storefront",environment="sim",service="catalogs"} 1`,
		`iqgw_cache_objects 1`,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("no %s", want)
		}
	}
}

// A caller with cache: false, and a service with mode none, always ask.
func TestCacheSwitchedOff(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ flag, want string }{
		"a caller":  {"callers.storefront.cache=false", "caller"},
		"a service": {"services.catalogs.cache.mode=none", "mode"},
		"ignored":   {"services.catalogs.cache.catalogue=ignore", "rule"},
		"suggested": {"services.catalogs.cache.catalogue=suggest", "suggest"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, rigOptions{flags: []string{"--set", tt.flag}})
			for range 2 {
				got := r.do(t, http.MethodGet, catalogItems, "").want(t, http.StatusOK).Header.Get("Cache-Status")
				if !strings.Contains(got, "fwd=bypass") || !strings.Contains(got, tt.want) {
					t.Errorf("Cache-Status %q", got)
				}
			}
			if n := len(r.calls("catalogs")); n != 2 {
				t.Errorf("%d upstream calls, want 2", n)
			}
		})
	}
}

// Authorization is decided before the lookup.
func TestStoredAnswerNeedsTheRight(t *testing.T) {
	r := newRig(t, rigOptions{access: `{catalogs: {methods: [GET], paths: ["/v1/Companies(14146)/Catalog/Items"]}}`})
	r.do(t, http.MethodGet, catalogItems, "").want(t, http.StatusOK)
	r.do(t, http.MethodGet, catalogItems, "").want(t, http.StatusOK)
	r.do(t, http.MethodGet, catalogItems, "", func(q *http.Request) { q.Header.Set("X-Api-Key", "another") }).want(t, http.StatusUnauthorized)
	r.do(t, http.MethodGet, "/entitymanager/v1/Companies(14146)/Tree", "").want(t, http.StatusForbidden)
}

const purgeToken = "0123456789abcdef0123456789abcdef"

func (r *rig) purge(t *testing.T, body string, status int) purged {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+r.Admin+pathCachePurge, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+purgeToken)
	req.Header.Set("Content-Type", "application/json")
	resp, err := r.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != status {
		t.Fatalf("%s: %s %s, want %d", body, resp.Status, text, status)
	}
	var done purged
	_ = json.Unmarshal(text, &done) // a problem otherwise
	return done
}

// A purge drops exactly what it names, and says who has followed.
func TestPurgeThroughTheStack(t *testing.T) {
	const tagged = `services: {catalogs: {cache: {rules: [{path: "/v1/Companies({company})/Catalog/Items", ttl: 5m, tags: [items]}]}}}`
	r := newRig(t, rigOptions{extra: tagged, flags: []string{"--set", "admin.token=" + purgeToken}})
	ask := func(target string) string {
		return r.do(t, http.MethodGet, target, "").want(t, http.StatusOK).Header.Get("Cache-Status")
	}
	targets := []string{catalogItems, catalogItems + "?$top=1", companyTree}
	tests := map[string]struct {
		body    string
		dropped []bool // of targets
	}{
		"a path, whatever the query": {`{"service": "catalogs", "path": "/v1/companies(14146)/Catalog/Items"}`, []bool{true, true, false}},
		"one url":                    {`{"service": "catalogs", "url": "/v1/Companies(14146)/Catalog/Items?$top=1"}`, []bool{false, true, false}},
		"one url without a query":    {`{"service": "catalogs", "url": "/v1/Companies(14146)/Catalog/Items"}`, []bool{true, false, false}},
		"a pattern":                  {`{"service": "company-tree", "environment": "sim", "pattern": "/v1/Companies({company})/Tree**"}`, []bool{false, false, true}},
		"a service":                  {`{"service": "catalogs", "all": true}`, []bool{true, true, false}},
		"an environment":             {`{"environment": "sim", "all": true}`, []bool{true, true, true}},
		"everything":                 {`{"all": true}`, []bool{true, true, true}},
		"another path":               {`{"service": "catalogs", "path": "/v1/Companies(14146)/Catalog"}`, []bool{false, false, false}},
		"a tag":                      {`{"tag": "items"}`, []bool{true, true, false}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for _, target := range targets {
				ask(target)
			}
			// The built-in environments have these services too, but no caller.
			done := r.purge(t, tt.body, http.StatusOK)
			if built := strings.Contains(fmt.Sprint(done.Purged), "production"); built || len(done.Purged) == 0 || done.Replicas != 1 || done.Followed != 1 {
				t.Errorf("%+v", done)
			}
			for i, target := range targets {
				if got := ask(target); strings.Contains(got, "hit") == tt.dropped[i] {
					t.Errorf("%s has Cache-Status %q afterwards", target, got)
				}
			}
		})
	}
	r.purge(t, `{"tag": "item"}`, http.StatusNotFound)
	if !strings.Contains(r.logs.String(), "an operator has purged the cache") {
		t.Error("the log does not say who purged")
	}
}

// A write through the gateway drops what it may have changed before its answer
// goes out; so does one that was refused because somebody else wrote.
func TestWriteDropsWhatItChanges(t *testing.T) {
	r := newRig(t, rigOptions{})
	hits := func() bool {
		a := r.do(t, http.MethodGet, companyTree, "").want(t, http.StatusOK)
		return strings.HasPrefix(a.Header.Get("Cache-Status"), "iqgateway; hit")
	}
	hits()
	for _, tt := range []struct {
		node   string
		status int
		drops  bool
	}{
		{renamedNode, http.StatusOK, true},
		{renamedNode, http.StatusConflict, true}, // its Version is that of before
		{`{"Version":2}`, http.StatusBadRequest, false},
	} {
		if !hits() {
			t.Fatal("the answer was not stored")
		}
		r.do(t, http.MethodPut, companyNode, tt.node, func(q *http.Request) {
			q.Header.Set("Content-Type", "application/json")
		}).want(t, tt.status)
		if hits() == tt.drops {
			t.Errorf("after a write that ended with %d: a hit is %t", tt.status, !tt.drops)
		}
	}
}
