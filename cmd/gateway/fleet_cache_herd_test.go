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
	"testing"
	"time"

	"iqgateway/internal/iqsim"
	"iqgateway/internal/redistest"
)

const herdItem = "/catalogs/v1/Companies(14146)/Catalog/Items/ByVendorSku?vendorSku=x"

// herdRules has one answer that is waited for when it ends, and one that is
// answered meanwhile.
const herdRules = `services:
  catalogs:
    cache:
      rules:
        - {path: "/v1/Companies({company})/Catalog/Items/ByVendorSku", ttl: 2s%s}
`

// A thousand callers of three gateways, when an answer that all of them want has
// just ended and the upstream takes half a second: it is asked once.
func TestFleetFetchesAHotKeyOnce(t *testing.T) {
	const callers, ttl = 1000, 2 * time.Second
	for _, tt := range []struct{ name, rule string }{
		{"all wait for one fetch", ""},
		{"nobody waits", ", stale_while_revalidate: 1h"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFleet(t, redistest.Single(t), fleetOptions{extra: fmt.Sprintf(herdRules, tt.rule)})
			await(t, "the replicas know each other", func() bool { return f.metric(t, f.all[2], "iqgw_store_replicas") == 3 })
			for range 2 { // connections, and whatever else is done once
				f.herd(t, callers, f.servers(), herdItem)
			}
			f.settle(t, herdItem)
			if _, err := f.AddFault(iqsim.Fault{Service: "catalogs", Kind: iqsim.FaultLatency, Delay: iqsim.Duration(500 * time.Millisecond)}); err != nil {
				t.Fatal(err)
			}
			pass(t, ttl+100*time.Millisecond)
			f.ClearLedger()
			took, body := f.herd(t, callers, f.servers(), herdItem)
			await(t, "the fetch", func() bool { return f.upstreamCalls("catalogs") > 0 })
			if n := f.upstreamCalls("catalogs"); n != 1 {
				t.Errorf("%d callers cost %d upstream calls, want 1", callers, n)
			}
			t.Logf("%d callers: p50 %v, p99 %v, longest %v", callers, took[callers/2], took[callers*99/100], took[callers-1])
			if tt.rule == "" {
				return
			}
			if took[callers-1] > 450*time.Millisecond && took[callers/2] > 450*time.Millisecond {
				t.Error("callers waited for the upstream")
			}
			bare := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = io.WriteString(w, body)
			}))
			defer bare.Close()
			at := []string{bare.URL}
			f.herd(t, callers, at, herdItem)
			plain, _ := f.herd(t, callers, at, herdItem)
			t.Logf("a bare handler: p50 %v, p99 %v: the gateways' p99 is %.2f of it", plain[callers/2], plain[callers*99/100],
				float64(took[callers*99/100])/float64(plain[callers*99/100]))
		})
	}
}

func (f *replicas) servers() []string {
	var all []string
	for _, r := range f.all {
		all = append(all, r.server)
	}
	return all
}

// herd sends n equal requests at once, spread over the servers, and returns how
// long each took, shortest first, and the answer.
func (f *replicas) herd(t *testing.T, n int, servers []string, target string) (took []time.Duration, body string) {
	t.Helper()
	took = make([]time.Duration, n)
	bodies := make([]string, n)
	begin := make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-begin
			since := time.Now()
			bodies[i] = f.plainGet(t.Context(), servers[i%len(servers)]+target)
			took[i] = time.Since(since)
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
	return took, bodies[0]
}

// plainGet returns a body, or what went wrong, which begins with "!".
func (f *replicas) plainGet(ctx context.Context, address string) string {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "!" + err.Error()
	}
	req.Header.Set("X-Api-Key", f.key)
	resp, err := f.client.Do(req)
	if err != nil {
		return "!" + err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	var b strings.Builder
	if _, err := io.Copy(&b, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Sprintf("!%d %v %s", resp.StatusCode, err, b.String())
	}
	return b.String()
}
