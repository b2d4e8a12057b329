package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime/pprof"
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
	r := newRig(t, rigOptions{flags: adminTokenFlags(), extra: "services: {crm: {cache: {mode: none}}}\n", start: startLabelled})
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
	before := goroutinesOf(t)
	if before < 10 {
		t.Fatalf("the gateway has %d goroutines: they are not counted", before)
	}
	for n := range reloads {
		r.rewrite(t, "response_headers: "+modes[n%2], "response_headers: "+modes[(n+1)%2])
		served.Store(0)
		r.reload(t)
		await(t, "requests of generation "+strconv.Itoa(n), func() bool { return served.Load() > 4 })
	}
	stop.Store(true)
	load.Wait()
	await(t, "no more goroutines than before", func() bool { return goroutinesOf(t) < before+reloads/2 }) // but those of requests and connections
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

// gatewayLabel marks the goroutines of one test's gateway, and all that they start.
const gatewayLabel = "gateway of"

// startLabelled starts a gateway whose goroutines can be told from those of tests
// that run beside this one.
func startLabelled(t testing.TB, stdout io.Writer, environ []string, args ...string) (a addresses) {
	t.Helper()
	pprof.Do(t.Context(), pprof.Labels(gatewayLabel, t.Name()), func(context.Context) {
		a = startProgram(t, stdout, environ, args...)
	})
	return a
}

// goroutinesOf counts the goroutines of the gateway that a test has started so.
func goroutinesOf(t testing.TB) int {
	t.Helper()
	var profile strings.Builder
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
		t.Fatal(err)
	}
	label := fmt.Sprintf("# labels: {%q:%q}\n", gatewayLabel, t.Name())
	all, alike := 0, 0
	for line := range strings.Lines(profile.String()) {
		if number, _, found := strings.Cut(line, " @ "); found {
			alike, _ = strconv.Atoi(number) // the first line of each is one
		} else if line == label {
			all += alike
		}
	}
	return all
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
