package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"iqgateway/internal/iqsim"
	"iqgateway/internal/redistest"
)

// herdRules have one answer that is waited for when it ends, and one that is
// answered meanwhile.
const (
	herdItem     = "/catalogs/v1/Companies(14146)/Catalog/Items/ByVendorSku?vendorSku=x"
	herdSearched = "/catalogs/v1/Companies(14146)/Catalog/Search?SearchTerms=x"
	herdRules    = `services:
  catalogs:
    cache:
      rules:
        - {path: "/v1/Companies({company})/Catalog/Items/ByVendorSku", ttl: 2s}
        - {path: "/v1/Companies({company})/Catalog/Search", ttl: 2s, stale_while_revalidate: 1h}
`
)

// A thousand callers of three gateways, when an answer that all of them want has
// just ended and the upstream takes half a second: it is asked once.
func TestFleetFetchesAHotKeyOnce(t *testing.T) {
	const callers = 1000
	f := newFleet(t, redistest.Single(t), fleetOptions{extra: herdRules})
	await(t, "the replicas know each other", func() bool { return f.metric(t, f.all[2], "iqgw_store_replicas") == 3 })
	for range 2 { // connections, and whatever else is done once
		f.herd(t, callers, f.servers(), herdSearched)
	}
	if _, err := f.AddFault(iqsim.Fault{Service: "catalogs", Kind: iqsim.FaultLatency, Delay: iqsim.Duration(500 * time.Millisecond)}); err != nil {
		t.Fatal(err)
	}
	expired := func(target string) stampede {
		for _, r := range f.all {
			await(t, "a fresh answer is stored", func() bool {
				status := f.cacheStatusOf(t, r, target)
				return strings.Contains(status, "hit") && !strings.Contains(status, "ttl=-")
			})
		}
		pass(t, 2100*time.Millisecond)
		f.ClearLedger()
		all := f.herd(t, callers, f.servers(), target)
		await(t, "the fetch", func() bool { return f.upstreamCalls("catalogs") > 0 })
		if n := f.upstreamCalls("catalogs"); n != 1 {
			t.Errorf("%s: %d callers cost %d upstream calls, want 1", target, callers, n)
		}
		return all
	}
	all := expired(herdItem)
	t.Logf("%d wait for one fetch: p50 %v, p99 %v", callers-all.hits, all.took[callers/2], all.took[callers*99/100])
	all = expired(herdSearched)
	t.Logf("nobody waits: p50 %v, p99 %v", all.took[callers/2], all.took[callers*99/100])
	if all.hits != callers {
		t.Errorf("%d of %d callers waited for the upstream", callers-all.hits, callers)
	}
	bare := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, all.body)
	}))
	defer bare.Close()
	at := []string{bare.URL}
	f.herd(t, callers, at, herdSearched)
	plain := f.herd(t, callers, at, herdSearched).took
	t.Logf("a bare handler: p50 %v, p99 %v: the gateways' p99 is %.2f of it", plain[callers/2], plain[callers*99/100],
		float64(all.took[callers*99/100])/float64(plain[callers*99/100]))
}

func (f *replicas) servers() []string {
	var all []string
	for _, r := range f.all {
		all = append(all, r.server)
	}
	return all
}

// stampede is what came of equal requests made at once.
type stampede struct {
	took []time.Duration // shortest first
	body string          // of all answers
	hits int             // answers from what was stored when their callers came
}

// herd sends n equal requests at once, spread over the servers.
func (f *replicas) herd(t *testing.T, n int, servers []string, target string) stampede {
	t.Helper()
	took := make([]time.Duration, n)
	bodies := make([]string, n)
	var hits atomic.Int64
	begin := make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-begin
			since := time.Now()
			var status string
			bodies[i], status = f.plainGet(t.Context(), servers[i%len(servers)]+target)
			took[i] = time.Since(since)
			hits.Add(int64(oneWhen(strings.HasPrefix(status, "iqgateway; hit"))))
		})
	}
	close(begin)
	all.Wait()
	for _, b := range bodies {
		if b != bodies[0] || strings.HasPrefix(b, "!") {
			t.Fatalf("got %.200q and %.200q", b, bodies[0])
		}
	}
	slices.Sort(took)
	return stampede{took: took, body: bodies[0], hits: int(hits.Load())}
}

// plainGet returns a body, or what went wrong, which begins with "!", and what
// the cache did.
func (f *replicas) plainGet(ctx context.Context, address string) (body, status string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "!" + err.Error(), ""
	}
	req.Header.Set("X-Api-Key", f.key)
	resp, err := f.client.Do(req)
	if err != nil {
		return "!" + err.Error(), ""
	}
	defer func() { _ = resp.Body.Close() }()
	var b strings.Builder
	if _, err := io.Copy(&b, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Sprintf("!%d %v %s", resp.StatusCode, err, b.String()), ""
	}
	return b.String(), resp.Header.Get("Cache-Status")
}
