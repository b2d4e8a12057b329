package main

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"iqgateway/internal/iqsim"
)

func newOverrideRig(t *testing.T) *rig {
	t.Helper()
	return newRig(t, rigOptions{flags: adminTokenFlags(), extra: cachedCRM})
}

// cachedCRM keeps answers, so that a test sees that a stored one is refused too.
const cachedCRM = `services:
  crm:
    cache: {rules: [{path: "/v1/Companies({company})/Customers", ttl: 1h}]}
`

// overrides runs a command of `gateway override` against the rig.
func (r *rig) overrides(t *testing.T, code int, want string, args ...string) string {
	t.Helper()
	return wantCommand(t, adminEnviron(r.Admin, adminToken), code, []string{want}, append([]string{"override"}, args...)...)
}

// A caller that is blocked gets nothing from the next request on: on connections
// that are open, from the cache, about itself. Another word ends it.
func TestOverrideBlocksACaller(t *testing.T) {
	t.Parallel()
	r := newOverrideRig(t)
	dialled := r.countConnections(true)
	for range 2 {
		r.do(t, http.MethodGet, customers, "").want(t, http.StatusOK)
	}
	if n := len(r.calls("crm")); n != 1 {
		t.Fatalf("%d calls: nothing is stored", n)
	}
	r.overrides(t, exitOK, "callers.storefront.blocked=true is set until", "set", "callers.storefront.blocked=true", "--for", "1h", "--reason", "floods the crm")
	for _, target := range []string{customers, "/-/me", "/nothing"} {
		if a := r.do(t, http.MethodGet, target, "").want(t, http.StatusForbidden); !strings.Contains(a.text, "#caller-blocked") {
			t.Errorf("%s: %s", target, a.text)
		}
	}
	if n := dialled.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
	r.wantLog(t, `"override":"callers.storefront.blocked"`)
	list := r.overrides(t, exitOK, "floods the crm", "list")
	if !strings.Contains(list, "callers.storefront.blocked   true") || !strings.Contains(list, "127.0.0.1") {
		t.Errorf("listed\n%s", list)
	}
	r.wantLog(t, `"event":"admin","result":"changed"`)
	r.overrides(t, exitOK, "callers.storefront.blocked=true is cleared", "clear", "callers.storefront.blocked")
	r.do(t, http.MethodGet, customers, "").want(t, http.StatusOK)
	r.overrides(t, exitOK, "no override", "list")
	if strings.Contains(r.get(t, "http://"+r.Admin+"/metrics").text, "iqgw_override_active{") {
		t.Error("an override is active in the metrics")
	}
}

// What cannot be meant is refused with the reason, and changes nothing.
func TestOverrideIsRefusedWhole(t *testing.T) {
	t.Parallel()
	r := newOverrideRig(t)
	tests := map[string]struct {
		body   string
		status int
		want   string
	}{
		"no such path":     {`{"key": "callers.storefront.block", "value": "true", "for": "1h", "reason": "x"}`, 422, "callers.*.blocked"},
		"a secret":         {`{"key": "credentials.retail.password", "value": "x", "for": "1h", "reason": "x"}`, 422, "cannot be overridden"},
		"an address":       {`{"key": "services.crm.url", "value": "http://x", "for": "1h", "reason": "x"}`, 422, "cannot be overridden"},
		"no such caller":   {`{"key": "callers.storefrnt.blocked", "value": "true", "for": "1h", "reason": "x"}`, 422, `did you mean \"storefront\"?`},
		"no such value":    {`{"key": "services.crm.cache.mode", "value": "sometimes", "for": "1h", "reason": "x"}`, 422, "nothing has changed: override (x): services.crm.cache.mode"},
		"not as a whole":   {`{"key": "callers.storefront.share.guarantee", "value": "81%", "for": "1h", "reason": "x"}`, 422, "nothing has changed: "},
		"no time":          {`{"key": "callers.storefront.blocked", "value": "true", "reason": "x"}`, 400, "for is"},
		"too long a time":  {`{"key": "callers.storefront.blocked", "value": "true", "for": "169h", "reason": "x"}`, 400, "168h"},
		"no reason":        {`{"key": "callers.storefront.blocked", "value": "true", "for": "1h"}`, 400, "reason"},
		"an unknown field": {`{"key": "callers.storefront.blocked", "value": "true", "for": "1h", "reason": "x", "who": "me"}`, 400, "who"},
	}
	before := r.get(t, "http://"+r.Admin+"/metrics").text
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if a := r.order(t, pathOverrides, test.body).want(t, test.status); !strings.Contains(a.text, test.want) {
				t.Errorf("%s, want %s", a.text, test.want)
			}
		})
	}
	r.overrides(t, exitOK, "no override", "list")
	if hash := line(before, "iqgw_config_info"); hash == "" || hash != line(r.get(t, "http://"+r.Admin+"/metrics").text, "iqgw_config_info") {
		t.Errorf("another configuration than %s", hash)
	}
	r.do(t, http.MethodGet, customers, "").want(t, http.StatusOK)
	for _, args := range [][]string{{"set", "x"}, {"set", "x=1"}, {"set", "x=1", "--for", "1h"}, {"set", "x=1", "--for", "200h", "--reason", "x"}, {"clear"}, {"clear", "a", "b"}, {"clear", "a", "--all"}} {
		r.overrides(t, exitUsage, "", args...)
	}
	r.overrides(t, exitFailure, "there is no override of", "clear", "callers.storefront.blocked")
	r.overrides(t, exitOK, "there was no override", "clear", "--all")
}

func line(metrics, name string) string {
	for l := range strings.Lines(metrics) {
		if strings.HasPrefix(l, name) {
			return l
		}
	}
	return ""
}

// A reload keeps overrides, but those that end with a change of the configuration;
// one that does not fit any more does nothing and says so.
func TestOverridesOutliveReloads(t *testing.T) {
	t.Parallel()
	r := newOverrideRig(t)
	r.overrides(t, exitOK, "is set", "set", "services.crm.cache.mode=none", "--for", "1h", "--reason", "wrong prices")
	r.overrides(t, exitOK, "is set", "set", "callers.storefront.blocked=true", "--for", "1h", "--reason", "until it is mended", "--until-reload")
	reload := func(want string) {
		t.Helper()
		if a := r.order(t, pathConfigReload, "{}").want(t, http.StatusOK); !strings.Contains(a.text, want) {
			t.Errorf("%s, want %s", a.text, want)
		}
	}
	reload(`"changed": []`)
	r.do(t, http.MethodGet, customers, "").want(t, http.StatusForbidden)
	r.rewrite(t, "lame_duck: 0s", "lame_duck: 0s\n  drain_timeout: 31s")
	reload(`"server.drain_timeout"`)
	for range 2 {
		r.do(t, http.MethodGet, customers, "").want(t, http.StatusOK)
	}
	if n := len(r.calls("crm")); n != 2 {
		t.Errorf("%d calls: the cache is in use", n)
	}
	if list := r.overrides(t, exitOK, "services.crm.cache.mode", "list"); strings.Contains(list, "blocked") {
		t.Errorf("listed\n%s", list)
	}
	r.wantLog(t, `"event":"override"`)

	r.overrides(t, exitOK, "is set", "set", "services.crm.quota.max_wait.batch=100s", "--for", "1h", "--reason", "slow")
	r.rewrite(t, "    cache: {rules", "    timeouts: {total: 50s}\n    cache: {rules")
	reload(`"services.crm.timeouts.total"`)
	list := r.overrides(t, exitOK, "does nothing on this replica", "list")
	if strings.Count(list, "does nothing") != 1 || !strings.Contains(list, "services.crm.cache.mode") {
		t.Errorf("listed\n%s", list)
	}
}

// The span of a request names the overrides that it has met, those of its caller and
// of its service, and no others.
func TestSpansNameOverrides(t *testing.T) {
	t.Parallel()
	sink := newSpanSink(t)
	const quiet = "telemetry: {logs: {level: debug}"
	r := newRig(t, rigOptions{flags: adminTokenFlags(), environ: []string{"OTEL_BSP_SCHEDULE_DELAY=1"}})
	r.rewrite(t, quiet, quiet+", traces: {exporter: otlp, sample: 100%, endpoint: '"+sink.URL+"'}")
	r.reload(t)
	for _, set := range []string{"services.crm.cache.mode=none", "services.order.cache.mode=none", "callers.storefront.class=batch"} {
		r.overrides(t, exitOK, "is set", "set", set, "--for", "1h", "--reason", "look")
	}
	r.do(t, http.MethodGet, customers, "").want(t, http.StatusOK)
	sink.await(t, "callers.storefront.class services.crm.cache.mode")
	if bytes.Contains(sink.got, []byte("services.order.")) {
		t.Error("a span names an override of another service")
	}
}

// The level of the log follows an override, and is back when that is cleared; a
// quota that is not enforced counts on and holds nobody.
func TestOverridesOfQuotaAndLog(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{flags: adminTokenFlags(), sim: fewCalls(3), extra: "services: {crm: {quota: {assume: 3/600s}}}\n"})
	r.spend(t, 3)
	r.do(t, http.MethodGet, customers, "", noWaiting).want(t, http.StatusTooManyRequests)
	r.overrides(t, exitOK, "is set", "set", "services.customers.quota.enforce=false", "--for", "10m", "--reason", "their limit is wrong")
	a := r.do(t, http.MethodGet, customers, "", noWaiting).want(t, http.StatusTooManyRequests)
	if a.Header.Get("X-Quota-Source") != "upstream" {
		t.Errorf("the gateway refused it itself: %v", a.Header)
	}
	r.wantLog(t, `"override":"services.crm.quota.enforce"`)
	wantCommand(t, adminEnviron(r.Admin, adminToken), exitOK, []string{"not enforced"}, "quota", "list")

	r.overrides(t, exitOK, "is set", "set", "telemetry.logs.level=error", "--for", "10m", "--reason", "too much")
	wantCommand(t, adminEnviron(r.Admin, adminToken), exitOK, []string{"writes error and above"}, "log", "level")
	r.overrides(t, exitOK, `"key": "telemetry.logs.level"`, "list", "-o", "json")
	r.overrides(t, exitOK, "is cleared", "clear", "--all")
	wantCommand(t, adminEnviron(r.Admin, adminToken), exitOK, []string{"writes debug and above"}, "log", "level")
}

// Without Redis a restart keeps what holds, from the first request on.
func TestOverridesOutliveTheProcess(t *testing.T) {
	t.Parallel()
	f, dir := newFleet(t, nil, fleetOptions{replicas: -1, sim: iqsim.Options{}}), t.TempDir()
	first := f.startIn(t, dir)
	if status, text := f.api(t, first, http.MethodPost, pathOverrides, `{"key": "callers.storefront.blocked", "value": "true", "for": "1h", "reason": "floods"}`); status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	first.kill(t)
	second := f.startIn(t, dir)
	if status, text, err := f.call(t.Context(), second, http.MethodGet, customers, ""); err != nil || status != http.StatusForbidden {
		t.Errorf("%d %s %v", status, text, err)
	}
}
