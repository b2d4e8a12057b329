package main

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"iqgateway/internal/redistest"
)

// documentedRights are those that docs/redis.md has an operator grant.
func documentedRights(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "redis.md"))
	if err != nil {
		t.Fatal(err)
	}
	match := regexp.MustCompile("An ACL user needs `([^`]+)`").FindSubmatch(text)
	if match == nil {
		t.Fatal("docs/redis.md names no rights")
	}
	return strings.Fields(string(match[1]))
}

// With exactly the rights that the document names, everything works that
// replicas do with Redis: the servers note each command that they refuse.
func TestDocumentedRightsAreEnough(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		f := newFleet(t, topology, fleetOptions{
			replicas: 2,
			extra:    patientRedis + "  username: gateway\n  password: of-the-gateway\nservices:\n  dataconnect: {session: {preferred_endpoint: false}}\n",
		})
		last := f.all[1]
		for _, r := range f.all {
			f.wantOK(t, r)
			if status, text, err := f.call(t.Context(), r, http.MethodGet, "/dataconnect/lists/stores?Response=Json", ""); err != nil || status != http.StatusOK {
				t.Errorf("%d %s %v", status, text, err)
			}
		}
		await(t, "the replicas know each other", func() bool { return f.metric(t, last, "iqgw_store_replicas") == 2 })
		for _, path := range []string{pathTokenInvalidate, pathTokenRetry} {
			if status, text := f.api(t, last, http.MethodPost, path, `{"credential": "retail"}`); status != http.StatusOK || !strings.Contains(text, `"followed": 2`) {
				t.Errorf("%s: %d %s", path, status, text)
			}
			f.wantOK(t, last)
		}
		const forced = `{"breaker": "sim/crm", "for": "10m", "reason": "x"}`
		f.api(t, f.all[0], http.MethodPost, pathBreakerOpen, forced)
		await(t, "a replica follows", func() bool { return f.status(t, last) == http.StatusServiceUnavailable })
		f.api(t, last, http.MethodPost, pathBreakerReset, `{"breaker": "sim/crm"}`)
		await(t, "the other follows", func() bool { return f.status(t, f.all[0]) == http.StatusOK })
		f.settle(t, catalogItems) // one fetches, the others take it from the second tier
		f.settle(t, companyTree)
		if _, _, err := f.call(t.Context(), last, http.MethodPut, companyNode, renamedNode); err != nil {
			t.Error(err)
		}
		if status, text := f.api(t, last, http.MethodPost, pathCachePurge, `{"all": true}`); status != http.StatusOK || !strings.Contains(text, `"followed": 2`) {
			t.Errorf("purge: %d %s", status, text)
		}
		f.settle(t, catalogItems)
		if n := f.tokenCalls(); n != 2 {
			t.Errorf("%d token calls, want one and one more after the invalidation", n)
		}
		for _, r := range f.all {
			r.stop(t)
			if out := r.out.String(); strings.Contains(out, "NOPERM") {
				t.Errorf("a right is missing:\n%s", out)
			}
		}
		for _, s := range topology.Servers() {
			if refused := s.CLI(t, "ACL", "LOG"); refused != "" {
				t.Errorf("%s refused:\n%s", s.Address(), refused)
			}
			for _, command := range []string{"FLUSHALL", "KEYS *", "CLIENT LIST"} { // which no pattern of keys keeps anybody from
				if got := s.CLI(t, append([]string{"ACL", "DRYRUN", "gateway"}, strings.Fields(command)...)...); got == "OK" {
					t.Errorf("the rights include %s", command)
				}
			}
		}
	}, redistest.WithUser("gateway", "of-the-gateway", documentedRights(t)...))
}
