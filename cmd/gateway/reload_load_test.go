package main

import (
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// Reloads under load fail no request, leave nothing behind, and keep what the
// stores hold: cached answers, quota, tokens and connections.
func TestReloadsUnderLoad(t *testing.T) {
	t.Parallel()
	const reloads = 50
	modes := [2]string{"standard", "minimal"}
	r := newRig(t, rigOptions{flags: adminTokenFlags(), extra: "services: {crm: {cache: {mode: none}}}\n"})
	r.rewrite(t, "lame_duck: 0s\n", "lame_duck: 0s\n  response_headers: standard\n")
	var failed, served atomic.Int64
	var stop atomic.Bool
	var load sync.WaitGroup
	defer load.Wait()
	defer stop.Store(true)
	for i := range 4 {
		load.Go(func() {
			for n := 0; !stop.Load(); n++ {
				target := catalogItems
				if (n+i)%10 == 0 {
					target = customers
				}
				a, err := r.try(t.Context(), http.MethodGet, target, "")
				if err != nil || a.StatusCode != http.StatusOK {
					failed.Add(1)
					t.Errorf("%s: %v, %v", target, a.Response, err)
					return
				}
				served.Add(1)
			}
		})
	}
	await(t, "the load has begun", func() bool { return served.Load() > 20 })
	before := runtime.NumGoroutine()
	for n := range reloads {
		r.rewrite(t, "response_headers: "+modes[n%2], "response_headers: "+modes[(n+1)%2])
		served.Store(0)
		r.reload(t)
		await(t, "requests of generation "+strconv.Itoa(n), func() bool { return served.Load() > 4 })
	}
	await(t, "no more goroutines than before", func() bool { return runtime.NumGoroutine() <= before+30 }) // other tests run too
	if failed.Load() != 0 {
		t.Errorf("%d requests failed", failed.Load())
	}
	if n := len(r.calls("catalogs")); n != 1 {
		t.Errorf("%d upstream calls for one stored answer", n)
	}
	if n := len(r.calls("accounts")); n > 1 {
		t.Errorf("%d token calls", n)
	}
	asked := len(r.calls("crm"))
	for line := range strings.Lines(r.get(t, "http://"+r.Admin+"/metrics").text) {
		if rest, ok := strings.CutPrefix(line, `iqgw_quota_remaining{environment="sim",policy="authenticated",service="crm"} `); ok {
			if left, err := strconv.Atoi(strings.TrimSpace(rest)); err != nil || left > 1000-asked/2 {
				t.Errorf("%s of the quota is left after %d calls", rest, asked)
			}
		}
	}
}

// An operator's order to a breaker outlives a reload.
func TestReloadKeepsBreakers(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{flags: adminTokenFlags()})
	r.operate(t, "sim/crm is forced open", "breaker", "open", "sim/crm", "--for", "10m", "--reason", "x")
	r.rewrite(t, "lame_duck: 0s\n", "lame_duck: 0s\n  response_headers: minimal\n")
	r.reload(t)
	r.do(t, http.MethodGet, customers, "").want(t, http.StatusServiceUnavailable)
}
