package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"iqgateway/internal/iqsim"
	"iqgateway/internal/redistest"
)

// cacheStatusOf asks one replica and returns what its cache did.
func (f *replicas) cacheStatusOf(t *testing.T, r *replica, target string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.server+target, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Api-Key", f.key)
	resp, err := f.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s\n%s", target, resp.Status, r.out)
	}
	return resp.Header.Get("Cache-Status")
}

// settle asks each replica until its own memory answers.
func (f *replicas) settle(t *testing.T, target string) {
	t.Helper()
	for _, r := range f.all {
		await(t, "an answer is stored", func() bool { return strings.Contains(f.cacheStatusOf(t, r, target), "hit") })
	}
}

// What one replica has fetched is there for the others; a write through any of
// them, and a purge, reach all.
func TestFleetSharesStoredAnswers(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		f := newFleet(t, topology, fleetOptions{extra: patientRedis})
		await(t, "the replicas know each other", func() bool { return f.metric(t, f.all[2], "iqgw_store_replicas") == 3 })
		f.ClearLedger()
		f.cacheStatusOf(t, f.all[0], catalogItems)
		await(t, "the answer is in Redis", func() bool {
			return f.metric(t, f.all[0], "iqgw_store_operation_duration_seconds_count", `operation="cache.put"`, `outcome="ok"`) > 0
		})
		f.settle(t, catalogItems)
		if n := f.upstreamCalls("catalogs"); n != 1 {
			t.Errorf("three replicas made %d upstream calls, want 1", n)
		}

		f.settle(t, companyTree)
		_, _, err := f.call(t.Context(), f.all[1], http.MethodPut, companyNode, renamedNode)
		if err != nil {
			t.Fatal(err)
		}
		if got := f.cacheStatusOf(t, f.all[1], companyTree); strings.HasPrefix(got, "iqgateway; hit") {
			t.Errorf("the replica that has written: %s", got)
		}

		status, text := f.api(t, f.all[2], http.MethodPost, pathCachePurge, `{"service": "catalogs", "all": true}`)
		var done purged
		if err := json.Unmarshal([]byte(text), &done); err != nil || status != http.StatusOK || done.Replicas != 3 || done.Followed != 3 {
			t.Fatalf("%d %s %v", status, text, err)
		}
		f.ClearLedger()
		for _, r := range f.all {
			f.cacheStatusOf(t, r, catalogItems)
		}
		if n := f.upstreamCalls("catalogs"); n == 0 {
			t.Error("nobody asked upstream after a purge that all have followed")
		}
	})
}

func (f *replicas) upstreamCalls(service string) int {
	return len(f.Ledger(iqsim.LedgerQuery{Service: service}))
}

// A server of the cache's own may end: readiness says so, and nothing fails.
func TestFleetWithoutTheCachesOwnServer(t *testing.T) {
	t.Parallel()
	main, own := redistest.Single(t), redistest.Single(t)
	f := newFleet(t, main, fleetOptions{replicas: 2, extra: "cache: {redis: {addresses: [\"" + own.Address() + "\"]}}\n"})
	r := f.all[0]
	f.settle(t, catalogItems)
	await(t, "the answer is in the cache's server", func() bool { return own.CLI(t, "DBSIZE") != "0" })
	if _, text := f.api(t, r, http.MethodGet, pathCache, ""); !strings.Contains(text, `"store": "cache_redis"`) || !strings.Contains(text, `"up": true`) {
		t.Errorf("%s", text)
	}
	own.Kill()
	for range 20 {
		f.cacheStatusOf(t, r, catalogItems+"?x="+newKey()[:8])
	}
	await(t, "readiness tells of it", func() bool {
		_, text := f.api(t, r, http.MethodGet, "/readyz?verbose", "")
		return strings.Contains(text, "cache_redis")
	})
	if status, text := f.api(t, r, http.MethodGet, "/readyz", ""); status != http.StatusOK {
		t.Errorf("without the second tier the gateway is not ready: %d %s", status, text)
	}
	if n := f.metric(t, r, "iqgw_store_up", `store="redis"`); n != 1 {
		t.Errorf("the other server counts as away too: %v", n)
	}
}
