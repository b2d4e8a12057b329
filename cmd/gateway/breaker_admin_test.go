package main

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"iqgateway/internal/redistest"
)

// refusedByBreaker wants a 503 that says who refused, that nothing was sent and
// when to come again, and returns its detail.
func refusedByBreaker(t *testing.T, a answer) string {
	t.Helper()
	a.want(t, http.StatusServiceUnavailable)
	var p struct {
		Type, Detail, Outcome, Upstream, Reason string
	}
	if err := json.Unmarshal([]byte(a.text), &p); err != nil {
		t.Fatalf("%v in %s", err, a.text)
	}
	if !strings.HasSuffix(p.Type, "breaker-open") || p.Outcome != "not_executed" || p.Upstream != "sim/crm" || p.Reason != "forced" {
		t.Errorf("problem %+v", p)
	}
	if after, err := strconv.Atoi(a.Header.Get("Retry-After")); err != nil || after < 550 || after > 700 {
		t.Errorf("Retry-After %q of ten minutes", a.Header.Get("Retry-After"))
	}
	return p.Detail
}

// An operator stops an upstream, lets it pass whatever fails, and hands it back
// to its breaker.
func TestOperatorForcesABreaker(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{flags: []string{"--set", "admin.token=" + adminToken}})
	r.do(t, http.MethodGet, customers, "").want(t, http.StatusOK)
	before := len(r.calls("crm"))

	r.operate(t, "sim/crm is forced open until", "breaker", "open", "sim/crm", "--for", "10m", "--reason", "INC-4711 maintenance")
	r.wantLog(t, `"msg":"an operator has forced a breaker"`)
	if detail := refusedByBreaker(t, r.do(t, http.MethodGet, customers, "")); !strings.Contains(detail, "an operator has stopped them") {
		t.Errorf("detail %q", detail)
	}
	refusedByBreaker(t, r.do(t, http.MethodPost, customers, `{}`))
	r.do(t, http.MethodGet, catalogItems, "").want(t, http.StatusOK) // another service
	if n := len(r.calls("crm")) - before; n != 0 {
		t.Errorf("%d calls went out", n)
	}
	r.wantLog(t, `"breaker":"open"`)
	r.operate(t, "forced open until", "breaker", "list")
	r.operate(t, "INC-4711 maintenance", "breaker", "list", "-o", "json")
	r.wantMetrics(t,
		`iqgw_breaker_state{environment="sim",service="crm",state="open"} 1`,
		`iqgw_breaker_state{environment="sim",service="crm",state="closed"} 0`,
		`iqgw_breaker_state{environment="sim",service="catalogs",state="closed"} 1`,
		`iqgw_breaker_refused_total{environment="sim",reason="forced",service="crm"} 2`,
		`iqgw_breaker_transitions_total{environment="sim",from="closed",reason="forced",service="crm",to="open"} 1`,
	)

	r.operate(t, "sim/crm is forced closed", "breaker", "close", "sim/crm", "--for", "10m", "--reason", "half is better than none")
	r.do(t, http.MethodGet, customers, "").want(t, http.StatusOK)

	r.operate(t, "sim/crm is reset", "breaker", "reset", "sim/crm")
	r.do(t, http.MethodGet, customers, "").want(t, http.StatusOK)
	r.wantMetrics(t,
		`iqgw_breaker_state{environment="sim",service="crm",state="closed"} 1`,
		`iqgw_breaker_results_total{environment="sim",result="success",service="crm"} 2`, // none while it was forced
	)
}

// wantMetrics wants these samples of a running gateway.
func (r *rig) wantMetrics(t *testing.T, samples ...string) {
	t.Helper()
	text := r.get(t, "http://"+r.Admin+"/metrics").text
	for _, want := range samples {
		if strings.Contains(text, want+"\n") {
			continue
		}
		t.Errorf("no %s", want)
		for line := range strings.Lines(text) {
			if name, _, _ := strings.Cut(want, "{"); strings.HasPrefix(line, name) {
				t.Log(strings.TrimSpace(line))
			}
		}
	}
}

// While an upstream is stopped, what the cache may bridge is answered stale.
func TestStoredAnswersWhileABreakerIsForcedOpen(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{
		flags: []string{"--set", "admin.token=" + adminToken},
		extra: "services: {catalogs: {cache: {rules: [{path: /**, ttl: 1s, stale_if_error: 1h}]}}}\n",
	})
	first := r.do(t, http.MethodGet, catalogItems, "").want(t, http.StatusOK)
	r.operate(t, "forced open", "breaker", "open", "sim/catalogs", "--for", "10m", "--reason", "x")
	var stale answer
	await(t, "the answer is stale", func() bool {
		stale = r.do(t, http.MethodGet, catalogItems, "").want(t, http.StatusOK)
		return strings.Contains(stale.Header.Get("Cache-Status"), "; ttl=-")
	})
	if status := stale.Header.Get("Cache-Status"); !strings.Contains(status, "detail=breaker-open") || stale.text != first.text {
		t.Errorf("Cache-Status %q", status)
	}
	if n := len(r.calls("catalogs")); n != 1 {
		t.Errorf("%d calls reached the upstream", n)
	}
}

// The gate of a spent quota stands beside the breaker: no request passes, but
// nothing is wrong with the upstream.
func TestQuotaGateBesideTheBreaker(t *testing.T) {
	r := newRig(t, rigOptions{
		sim: fewCalls(5), extra: "services: {crm: {quota: {assume: 5/600s}}}\n", flags: []string{"--set", "admin.token=" + adminToken},
	})
	r.spend(t, 5)
	r.do(t, http.MethodGet, customers, "", noWaiting).want(t, http.StatusTooManyRequests)
	r.operate(t, "quota sim/crm/authenticated: open (429) until 20", "breaker", "list")
	r.wantMetrics(t, `iqgw_breaker_state{environment="sim",service="crm",state="closed"} 1`)
}

// What one replica is told holds for all, also for one that starts later.
func TestFleetForcesABreaker(t *testing.T) {
	t.Parallel()
	redis := redistest.Single(t)
	f := newFleet(t, redis, fleetOptions{replicas: 2, extra: patientRedis})
	for _, r := range f.all {
		f.wantOK(t, r)
	}
	f.operate(t, f.all[0], "2 of 2 replicas have followed", "breaker", "open", "sim/crm", "--for", "10m", "--reason", "INC-4711")
	if got := f.status(t, f.all[1]); got != http.StatusServiceUnavailable { // no sooner, no later
		t.Errorf("a replica that has followed answers %d", got)
	}
	late := f.start(t)
	for _, r := range append(f.all, late) {
		await(t, "a replica follows", func() bool { return f.status(t, r) == http.StatusServiceUnavailable })
		f.operate(t, r, "INC-4711", "breaker", "list")
	}
	f.operate(t, late, "3 of 3 replicas have followed", "breaker", "reset", "sim/crm")
	for _, r := range append(f.all, late) {
		await(t, "a replica sends again", func() bool { return f.status(t, r) == http.StatusOK })
	}

	redis.Stop()
	asked := adminEnviron(strings.TrimPrefix(f.all[0].adminAt, "http://"), f.admin)
	wantCommand(t, asked, exitFailure, []string{"1 of 3 replicas have followed", "the others follow by themselves"}, "breaker", "open", "sim/crm", "--for", "10m", "--reason", "INC-4712")
	if got := f.status(t, f.all[0]); got != http.StatusServiceUnavailable {
		t.Errorf("the replica that was asked answers %d", got)
	}
	f.wantOK(t, f.all[1])
	redis.Start()
	await(t, "the other hears of it once Redis is back", func() bool { return f.status(t, f.all[1]) == http.StatusServiceUnavailable })
}
