package dashboards_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"iqgateway/test/dashboards"
	"iqgateway/test/rig"
)

// Over two gateways with everything that can go wrong in a minute, no expression
// of a dashboard, a rule or the runbook is refused by Prometheus, and each panel
// has something to show.
func TestOnPrometheus(t *testing.T) {
	f := newFleet(t)
	p := startPrometheus(t, f)
	f.load(t)
	t.Run("panels", func(t *testing.T) { everyPanelShowsSomething(t, p) })
	t.Run("alerts", func(t *testing.T) { whatIsProvokedAlerts(t, p) })
	t.Run("rules", func(t *testing.T) { rulesAreHealthy(t, p) })
	t.Run("runbook", func(t *testing.T) {
		for _, expr := range fenced(runbook(t), "promql") {
			if _, err := p.query(t.Context(), expr); err != nil {
				t.Errorf("%s: %v", expr, err)
			}
		}
	})
	t.Run("exemplars", func(t *testing.T) {
		for _, of := range []string{"server", "client"} {
			rig.Must(t, rig.Await(t.Context(), time.Minute, of+" durations lead to traces", func() bool {
				n, err := p.exemplars(t.Context(), "http_"+of+"_request_duration_seconds_bucket")
				return err == nil && n > 0
			}))
		}
	})
}

// nothingHere are parts of expressions that have no data here, and why.
func nothingHere() map[string]string {
	return map[string]string{
		"iqgw_store_rejected_values_total":        "nobody changes what is in Redis",
		"iqgw_quota_resent_total":                 "the transport repeats nothing by itself",
		"iqgw_token_rollbacks_total":              "Redis is not restored from a backup",
		"iqgw_token_secret_read_failures_total":   "secrets come from variables",
		"changes(process_start_time_seconds":      "nobody restarts",
		"changes(iqgw_config_last_reload_success": "nobody reloads",
		`outcome="internal-error"`:                "the gateway has no fault",
	}
}

// everyPanelShowsSomething asks until each query has had data once: what is
// provoked comes and goes.
func everyPanelShowsSomething(t *testing.T, p *prometheus) {
	empty := map[string]string{} // expression -> panel
	for _, d := range load(t) {
		for _, panel := range d.Panels {
			for _, q := range panel.Targets {
				empty[dashboards.Substitute(q.Expr, "5s")] = d.UID + ": " + panel.Title
			}
		}
		for _, q := range d.Annotations.List {
			empty[q.Expr] = d.UID + ": marks"
		}
	}
	err := rig.Await(t.Context(), 2*time.Minute, "every panel shows something", func() bool {
		maps.DeleteFunc(empty, func(expr, of string) bool {
			n, err := p.query(t.Context(), expr)
			if err != nil {
				t.Errorf("%s: %s: %v", of, expr, err)
			}
			return n > 0 || err != nil || why(expr) != ""
		})
		return len(empty) == 0 || !rig.Pass(t.Context(), 300*time.Millisecond)
	})
	if err != nil {
		t.Error(err)
	}
	for _, expr := range slices.Sorted(maps.Keys(empty)) {
		t.Errorf("%s: nothing of %s", empty[expr], expr)
	}
}

func why(expr string) string {
	for part, reason := range nothingHere() {
		if strings.Contains(expr, part) {
			return reason
		}
	}
	return ""
}

func rulesAreHealthy(t *testing.T, p *prometheus) {
	all, err := p.rules(t.Context())
	rig.Must(t, err)
	if len(all) != len(rules(t)) {
		t.Errorf("%d rules, want %d", len(all), len(rules(t)))
	}
	for _, r := range all {
		if r.Health != "ok" || r.LastError != "" {
			t.Errorf("%s: %s %s", r.Name, r.Health, r.LastError)
		}
		for _, a := range r.Alerts {
			for name, text := range a.Annotations {
				if strings.Contains(text, "error expanding") || strings.Contains(text, "<no value>") {
					t.Errorf("%s: %s: %s", r.Name, name, text)
				}
			}
		}
	}
}

// provoked are alerts for which there is reason here, firing or about to.
func provoked() []string {
	return []string{
		"IQGWBreakerOpen", "IQGWCallerMeetsItsLimit", "IQGWCallerOutOfQuota", "IQGWCredentialRefused", "IQGWErrorBudgetBurnsFast",
		"IQGWQuotaRunsOut", "IQGWRedisAway", "IQGWTelemetryDropped", "IQGWTokenEnds", "IQGWUpstreamRefusedUs",
	}
}

// whatIsProvokedAlerts asks until each has been seen once.
func whatIsProvokedAlerts(t *testing.T, p *prometheus) {
	silent := provoked()
	err := rig.Await(t.Context(), 2*time.Minute, "what is provoked alerts", func() bool {
		all, err := p.rules(t.Context())
		if err != nil {
			t.Error(err)
		}
		for _, r := range all {
			if len(r.Alerts) > 0 {
				silent = slices.DeleteFunc(silent, func(name string) bool { return name == r.Name })
			}
		}
		return err != nil || len(silent) == 0 || !rig.Pass(t.Context(), 300*time.Millisecond)
	})
	if err != nil {
		t.Errorf("%v: %v are silent", err, silent)
	}
}
