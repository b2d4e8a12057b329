package observability_test

import (
	"strings"
	"testing"
	"time"

	"iqgateway/observability"
)

const crmLabels = `environment="production",policy="authenticated",service="crm"`

func crmBucket() observability.QuotaBucket {
	return observability.QuotaBucket{Environment: "production", Service: "crm", Policy: "authenticated"}
}

func TestQuotaMetrics(t *testing.T) {
	m, ctx, crm := newMetrics(t), t.Context(), crmBucket()
	ask := observability.QuotaRequest{Bucket: crm, Caller: "storefront", Class: "interactive"}
	m.QuotaAsked(ctx, ask)
	ask.Waited = 300 * time.Millisecond
	m.QuotaAsked(ctx, ask)
	ask.Refused, ask.Waited = "eta", 0
	m.QuotaAsked(ctx, ask)
	m.QuotaAsked(ctx, observability.QuotaRequest{Bucket: crm, Caller: "export", Class: "batch", Held: true})
	m.QuotaAcquired(ctx, crm, "ok", time.Millisecond)
	m.QuotaUpstreamRefused(ctx, crm, "hidden", 2)
	m.QuotaAnomaly(ctx, crm, "negative")
	m.QuotaEvent(ctx, crm, "state_regression")
	m.QuotaResent(ctx, crm, 3)
	m.QuotaWindowEnded(ctx, observability.QuotaWindow{Bucket: crm, Proof: true, Limit: 1000, Spent: 700, External: 200, Wasted: 4, Missing: 5})
	m.QuotaWindowEnded(ctx, observability.QuotaWindow{Bucket: crm, Spent: 7})
	other := crm
	other.Of = "retail"
	m.QuotaEvent(ctx, other, "returned")

	wantMetrics(t, m,
		`iqgw_quota_caller_tokens_total{caller="storefront",class="interactive",`+crmLabels+`} 2`,
		`iqgw_quota_caller_tokens_total{caller="export",class="batch",`+crmLabels+`} 1`,
		`iqgw_quota_queue_refused_total{caller="storefront",class="interactive",environment="production",policy="authenticated",reason="eta",service="crm"} 1`,
		`iqgw_quota_shadow_held_total{caller="export",class="batch",`+crmLabels+`} 1`,
		`iqgw_quota_queue_wait_seconds_sum{class="interactive",`+crmLabels+`} 0.3`,
		`iqgw_quota_queue_wait_seconds_count{class="interactive",`+crmLabels+`} 1`,
		`iqgw_quota_acquire_duration_seconds_sum{environment="production",outcome="ok",policy="authenticated",service="crm"} 0.001`,
		`iqgw_quota_upstream_429_total{environment="production",kind="hidden",policy="authenticated",service="crm"} 2`,
		`iqgw_quota_header_anomaly_total{anomaly="negative",`+crmLabels+`} 1`,
		`iqgw_quota_event_total{environment="production",event="state_regression",policy="authenticated",service="crm"} 1`,
		`iqgw_quota_event_total{environment="production",event="returned",of="retail",policy="authenticated",service="crm"} 1`,
		`iqgw_quota_resent_total{`+crmLabels+`} 3`,
		`iqgw_quota_roll_total{by="proof",`+crmLabels+`} 1`,
		`iqgw_quota_roll_total{by="time",`+crmLabels+`} 1`,
		`iqgw_quota_unspent_wasted_total{`+crmLabels+`} 4`,
		`iqgw_quota_undercount_total{`+crmLabels+`} 5`,
		`iqgw_quota_window_utilisation_sum{`+crmLabels+`} 0.9`,
		`iqgw_quota_window_utilisation_count{`+crmLabels+`} 1`,
	)
}

func TestQuotaGauges(t *testing.T) {
	m := newMetrics(t)
	states := []observability.QuotaState{{
		Bucket: crmBucket(), Mode: "known", Limit: 1000, Remaining: 412, Upstream: 420, Granted: 500, External: 80, Margin: 8,
		Waiting: 3, Replicas: 2, Blocked: true, Uncertainty: 250 * time.Millisecond, Guarantees: map[string]int64{"storefront": 200},
	}}
	if err := m.ObserveQuotas(func() []observability.QuotaState { return states }); err != nil {
		t.Fatal(err)
	}
	wantMetrics(t, m,
		`iqgw_quota_mode{environment="production",mode="known",policy="authenticated",service="crm"} 1`,
		`iqgw_quota_limit{`+crmLabels+`} 1000`,
		`iqgw_quota_remaining_estimate{`+crmLabels+`} 412`,
		`iqgw_quota_remaining_upstream{`+crmLabels+`} 420`,
		`iqgw_quota_granted{`+crmLabels+`} 500`,
		`iqgw_quota_external{`+crmLabels+`} 80`,
		`iqgw_quota_margin{`+crmLabels+`} 8`,
		`iqgw_quota_queue_depth{`+crmLabels+`} 3`,
		`iqgw_quota_replicas{`+crmLabels+`} 2`,
		`iqgw_quota_blocked{`+crmLabels+`} 1`,
		`iqgw_quota_boundary_uncertainty_seconds{`+crmLabels+`} 0.25`,
		`iqgw_quota_caller_share{caller="storefront",`+crmLabels+`} 200`,
	)
	states[0].Upstream = -1
	if strings.Contains(scrape(t, m), "iqgw_quota_remaining_upstream{") {
		t.Error("a count is shown of an upstream that shows none")
	}
	states[0] = observability.QuotaState{Bucket: crmBucket(), Mode: "cold", Uncertainty: -1}
	text := scrape(t, m)
	for _, absent := range []string{"iqgw_quota_limit{", "iqgw_quota_boundary_uncertainty_seconds{", `mode="known"`} {
		if strings.Contains(text, absent) {
			t.Errorf("%s is shown of a bucket that nobody knows", absent)
		}
	}
}
