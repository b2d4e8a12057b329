package main

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iqgateway/cache"
	"iqgateway/internal/iqsim"
)

// shortFresh has answers be stale after a second, and lets them stand in for
// failures.
const shortFresh = `  catalogs:
    timeouts: {response_header: 1s}
    retry: {max_attempts: 1}
    limits: {max_in_flight: 1}
    cache: {rules: [{path: "/v1/Companies({company})/Catalog/Items", ttl: 1s, stale_if_error: 1h}]}
`

// standIn is a failure for which a stale answer stands in.
type standIn struct {
	begin  func(t *testing.T, r *sickRig) (end func())
	status string // the part of Cache-Status that tells what happened
	reason string // as it is counted
}

func standIns() map[string]standIn {
	meeting := func(f iqsim.Fault) func(*testing.T, *sickRig) func() {
		return func(t *testing.T, r *sickRig) func() {
			t.Helper()
			f.Service = "catalogs"
			r.arm(t, f)
			return func() { r.RemoveFaults(0) }
		}
	}
	return map[string]standIn{
		"503":     {meeting(iqsim.Fault{Kind: iqsim.FaultStatus}), "fwd=stale; fwd-status=503; detail=error", "error"},
		"500":     {meeting(iqsim.Fault{Kind: iqsim.FaultStatus, Status: 500}), "fwd=stale; fwd-status=500; detail=error", "error"},
		"reset":   {meeting(iqsim.Fault{Kind: iqsim.FaultReset}), "fwd=stale; detail=upstream-unreachable", "upstream-unreachable"},
		"timeout": {meeting(iqsim.Fault{Kind: iqsim.FaultStall}), "fwd=stale; detail=upstream-timeout", "upstream-timeout"},
		"breaker open": {func(t *testing.T, r *sickRig) func() {
			t.Helper()
			r.order(t, "open", "open", "sim/catalogs", "--for", "1m", "--reason", "by hand")
			return func() { r.order(t, "reset", "reset", "sim/catalogs") }
		}, "hit; ttl=-; detail=breaker-open", "breaker-open"},
		"quota spent": {func(t *testing.T, r *sickRig) func() {
			t.Helper()
			quota := func(args ...string) {
				wantCommand(t, adminEnviron(r.Admin, adminToken), exitOK, nil, append([]string{"quota"}, args...)...)
			}
			quota("block", "sim/catalogs/authenticated", "--for", "1m", "--reason", "as if it were spent")
			followed := func(status int) func() bool {
				return func() bool {
					return r.do(t, http.MethodGet, catalogItems+"?spends", "", noWaiting, cacheControl("no-store")).StatusCode == status
				}
			}
			await(t, "what the replica held is spent", followed(http.StatusTooManyRequests))
			return func() {
				quota("unblock", "sim/catalogs/authenticated")
				await(t, "the quota is open", followed(http.StatusOK))
			}
		}, "hit; ttl=-; detail=quota-exceeded", "quota-exceeded"},
		"upstream busy": {func(t *testing.T, r *sickRig) func() { t.Helper(); return r.occupy(t) }, "hit; ttl=-; detail=upstream-concurrency-exceeded", "upstream-concurrency-exceeded"},
	}
}

// occupy takes the only slot of catalogs with an answer that does not end.
func (r *sickRig) occupy(t *testing.T) func() {
	t.Helper()
	r.arm(t, iqsim.Fault{Kind: iqsim.FaultStall, Service: "catalogs", At: iqsim.AtBody})
	ctx, leave := context.WithCancel(t.Context())
	var holder sync.WaitGroup
	holder.Go(func() { _, _ = r.try(ctx, http.MethodGet, catalogItems+"?holds", "", cacheControl("no-store")) })
	taken := func(n string) func() bool {
		return func() bool {
			return len(r.metric(t, "iqgw_bulkhead_in_flight", `environment="sim",service="catalogs"} `+n)) == 1
		}
	}
	await(t, "the slot is taken", taken("1"))
	return func() {
		leave()
		holder.Wait()
		r.RemoveFaults(0)
		await(t, "the slot is free", taken("0"))
	}
}

// TestStaleAnswersStandIn: with a stale answer in the cache nobody notices that
// an upstream is ill, but who looks: it is marked, and no hit.
func TestStaleAnswersStandIn(t *testing.T) {
	r := newSickRig(t, shortFresh, rigOptions{})
	target := func(name string) string { return catalogItems + "?case=" + strings.ReplaceAll(name, " ", "-") }
	stored := map[string]string{}
	want := map[string]uint64{}
	for name, tt := range standIns() {
		stored[name] = r.do(t, http.MethodGet, target(name), "").want(t, http.StatusOK).text
		want[tt.reason]++
	}
	pass(t, 1100*time.Millisecond) // longer than they are fresh
	for name, tt := range standIns() {
		t.Run(name, func(t *testing.T) {
			end := tt.begin(t, r)
			defer end()
			a := r.do(t, http.MethodGet, target(name), "").want(t, http.StatusOK)
			for part := range strings.SplitSeq("iqgateway; "+tt.status, "; ") {
				if got := a.Header.Get("Cache-Status"); !strings.Contains(got, part) {
					t.Errorf("Cache-Status %q has no %q", got, part)
				}
			}
			if age := a.Header.Get("Age"); a.text != stored[name] || age == "" || age == "0" {
				t.Errorf("Age %q, %.100s", age, a.text)
			}
			if line := r.line(t, a); line.Cache != "stale" || line.Reason != tt.reason {
				t.Errorf("%+v", line)
			}
			// Where nothing is stored, the failure is seen.
			if a := r.do(t, http.MethodGet, target(name)+"&other", "", noWaiting); a.StatusCode < http.StatusTooManyRequests {
				t.Errorf("it does not fail: %s", a.Status)
			}
		})
	}
	var shown cacheDocument
	r.ask(t, pathCache, &shown)
	var counts cache.Counts
	for _, s := range shown.Services {
		if s.Environment == "sim" && s.Service == "catalogs" {
			counts = s.Counts
		}
	}
	if diff := cmp.Diff(want, counts.Stale); diff != "" || counts.Hits != 0 {
		t.Errorf("%d hits, stale answers (-want +got)\n%s", counts.Hits, diff)
	}
	for name := range standIns() { // and once it is well, all is as before
		r.do(t, http.MethodGet, target(name), "", cacheControl("no-store")).want(t, http.StatusOK)
	}
}
