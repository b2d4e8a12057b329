package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"

	"iqgateway/internal/iqsim"
	"iqgateway/internal/redistest"
	"iqgateway/usage"
)

// usageOf is what all callers have used, as a replica tells it.
func (f *replicas) usageOf(t *testing.T, r *replica) (usage.Counts, usageReport) {
	t.Helper()
	status, text := f.api(t, r, http.MethodGet, pathUsage+"?by=caller,service&since=2d", "")
	var report usageReport
	if err := json.Unmarshal([]byte(text), &report); err != nil || status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	var all usage.Counts
	for _, row := range report.Rows {
		all = all.Plus(row.Counts)
	}
	return all, report
}

// use has every replica asked n times at once.
func (f *replicas) use(t *testing.T, n int, all ...*replica) {
	t.Helper()
	var crowd sync.WaitGroup
	for _, r := range all {
		crowd.Go(func() {
			for range n {
				if status, text, err := f.call(t.Context(), r, http.MethodGet, customers, ""); err != nil || status != http.StatusOK {
					t.Errorf("%d %s %v", status, text, err)
				}
			}
		})
	}
	crowd.Wait()
}

// upstreamRequests is what the simulated upstream has seen, logins apart.
func (f *replicas) upstreamRequests() (n int64) {
	for _, services := range f.Counts() {
		for service, of := range services {
			if service != "accounts" {
				n += of.Requests
			}
		}
	}
	return n
}

// Three replicas count together what the upstream has seen: over an outage of Redis,
// a restart, and the end of a replica by force.
func TestFleetCountsUsage(t *testing.T) {
	t.Parallel()
	server := redistest.Single(t)
	f := newFleet(t, server, fleetOptions{
		sim:   iqsim.Options{Limits: map[string]int{"crm": 1_000_000}},
		extra: patientRedis + "services: {crm: {cache: {mode: none}}}\n",
	})
	const each = 50
	wanted := int64(0)
	agree := func(when string, r *replica) {
		t.Helper()
		var got usage.Counts
		await(t, "usage is told: "+when, func() bool {
			got, _ = f.usageOf(t, r)
			return got.Requests >= wanted
		})
		if seen := f.upstreamRequests(); got.Requests != wanted || got.Attempts != seen || got.Tokens != seen || got.BytesOut == 0 {
			t.Errorf("%s: %+v; %d requests, of which the upstream saw %d", when, got, wanted, seen)
		}
	}
	f.use(t, each, f.all...)
	wanted += 3 * each
	agree("three replicas", f.all[0])

	server.Freeze() // what is under way may count, or not
	f.use(t, each, f.all...)
	wanted += 3 * each
	if _, report := f.usageOf(t, f.all[1]); report.HereOnly == "" || len(report.Rows) == 0 {
		t.Errorf("without Redis: %+v", report)
	}
	server.Thaw()
	agree("Redis was away", f.all[2])

	f.use(t, each, f.all[0])
	wanted += each
	f.all[0].stop(t) // tells the rest before it ends
	agree("a replica has ended", f.all[1])

	f.all[1].kill(t) // it had told everything
	again := f.start(t)
	f.use(t, each, again, f.all[2])
	wanted += 2 * each
	agree("a replica was killed", again)
	if _, report := f.usageOf(t, again); len(report.Rows) != 1 || report.Rows[0].Caller != "storefront" || report.Rows[0].Service != "crm" {
		t.Errorf("%+v", report.Rows)
	}
}

// Without Redis the counts outlast the process, and the command shows them.
func TestUsageOutlastsARestart(t *testing.T) {
	t.Parallel()
	f := newFleet(t, nil, fleetOptions{replicas: 1})
	data := t.TempDir()
	first := f.startIn(t, data)
	f.use(t, 3, first)
	if status, _, err := f.call(t.Context(), first, http.MethodGet, "/nonsense/x", ""); err != nil || status != http.StatusNotFound {
		t.Fatal(status, err)
	}
	first.stop(t)
	second := f.startIn(t, data)
	f.use(t, 2, second)
	environ := adminEnviron(strings.TrimPrefix(second.adminAt, "http://"), f.admin)
	csv := wantCommand(t, environ, exitOK, nil, "usage", "--by", "caller,service", "--since", "2d", "-o", "csv")
	if !strings.HasPrefix(csv, "caller,service,requests,attempts,tokens,hits,refusals,bytes_out\nstorefront,,1,0,0,0,1,") ||
		!strings.Contains(csv, "\nstorefront,crm,5,") {
		t.Error(csv)
	}
	wantCommand(t, environ, exitOK, []string{"CALLER", "REQUESTS", "storefront"}, "usage", "--by", "day,caller")
	wantCommand(t, environ, exitOK, []string{`"bytes_out"`}, "usage", "-o", "json")
	wantCommand(t, environ, exitUsage, []string{"since is"}, "usage", "--since", "400y")
	wantCommand(t, environ, exitUsage, []string{"by is"}, "usage", "--by", "path")
	if status, text := f.api(t, second, http.MethodGet, pathUsage+"?what=1", ""); status != http.StatusBadRequest {
		t.Error(status, text)
	}
}
