package main

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"iqgateway/config"
	"iqgateway/internal/iqsim"
)

// SEC-34: a caller of few rights that tries every route of the catalogue with every
// method makes few series: what it may not ask has no route of its own in metrics.
func TestSEC34RefusalsMakeFewSeries(t *testing.T) {
	r := newRig(t, rigOptions{
		flags:  []string{"--set", "telemetry.logs.level=error", "--set", "services.crm.quota.assume=1000000/60s"},
		sim:    iqsim.Options{LedgerSize: 10},
		access: `{crm: {methods: [GET], paths: [/v1/nothing]}}`,
	})
	targets := r.routes(t)
	if len(targets) < 200 {
		t.Fatalf("the catalogue has %d routes", len(targets))
	}
	methods := []string{
		http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, "PROPFIND",
	}
	allowed := 0
	var one sync.Mutex
	var senders sync.WaitGroup
	const lanes = 4
	for lane := range lanes {
		senders.Go(func() {
			for i := lane; i < len(targets)*len(methods); i += lanes {
				a, err := r.try(t.Context(), methods[i%len(methods)], targets[i/len(methods)], "")
				if err != nil {
					t.Error(err)
					return
				}
				if a.StatusCode < http.StatusBadRequest {
					one.Lock()
					allowed++
					one.Unlock()
				}
			}
		})
	}
	senders.Wait()
	series := r.seriesNow(t)
	t.Logf("%d routes × %d methods: %d series", len(targets), len(methods), len(series))
	if allowed > 0 {
		t.Errorf("%d requests were allowed: this is about refusals", allowed)
	}
	if len(series) > maxSeries {
		t.Errorf("%d series, at most %d", len(series), maxSeries)
	}
	for one := range series {
		if strings.Contains(one, `http_route="/sim/`) {
			t.Errorf("a refused request has the route of what it may not ask: %s", one)
		}
	}
}

// routes are a path of every route pattern of every service that the rig proxies.
func (r *rig) routes(t *testing.T) []string {
	t.Helper()
	cfg, _, err := config.Load(config.LoadOptions{Path: r.file, Environ: rigEnviron(), Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`\{[^}]*\}`)
	var all []string
	for s := range cfg.Proxied() {
		if s.Environment != "sim" {
			continue
		}
		all = append(all, fmt.Sprintf("/sim/%s/v1/whatever", s.Name))
		for _, p := range routePatterns(s) {
			all = append(all, "/sim/"+s.Name+strings.ReplaceAll(name.ReplaceAllString(p.String(), "1"), "**", ""))
		}
	}
	return all
}
