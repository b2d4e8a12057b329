package observability_test

import (
	"strings"
	"testing"

	"iqgateway/observability"
)

func TestResilienceMetrics(t *testing.T) {
	m, ctx := newMetrics(t), t.Context()
	crm := observability.BreakerName{Environment: "rc", Service: "crm"}
	throttle := observability.BreakerName{Environment: "rc", Service: "crm", Bucket: "authenticated"}
	m.BreakerChanged(ctx, crm, "closed", "open", "failures")
	m.BreakerRefused(ctx, crm, "failures")
	m.BreakerRefused(ctx, crm, "failures")
	m.BreakerCounted(ctx, crm, "failure", "5xx")
	m.BreakerCounted(ctx, crm, "success", "")
	m.BreakerCounted(ctx, throttle, "failure", "429")
	m.Retried(ctx, "rc", "crm", "connect")
	m.RetryStopped(ctx, "rc", "crm", "budget")
	states := []observability.BreakerState{{Breaker: crm, State: "open"}, {Breaker: throttle, State: "closed"}}
	if err := m.ObserveBreakers([]string{"closed", "open", "half-open"}, func() []observability.BreakerState { return states }); err != nil {
		t.Fatal(err)
	}
	wantMetrics(t, m,
		`iqgw_breaker_transitions_total{environment="rc",from="closed",reason="failures",service="crm",to="open"} 1`,
		`iqgw_breaker_refused_total{environment="rc",reason="failures",service="crm"} 2`,
		`iqgw_breaker_results_total{cause="5xx",environment="rc",result="failure",service="crm"} 1`,
		`iqgw_breaker_results_total{environment="rc",result="success",service="crm"} 1`,
		`iqgw_breaker_results_total{bucket="authenticated",cause="429",environment="rc",result="failure",service="crm"} 1`,
		`iqgw_retry_attempts_total{environment="rc",reason="connect",service="crm"} 1`,
		`iqgw_retry_stopped_total{environment="rc",result="budget",service="crm"} 1`,
		`iqgw_breaker_state{environment="rc",service="crm",state="open"} 1`,
		`iqgw_breaker_state{environment="rc",service="crm",state="closed"} 0`,
		`iqgw_breaker_state{environment="rc",service="crm",state="half-open"} 0`,
		`iqgw_breaker_state{bucket="authenticated",environment="rc",service="crm",state="closed"} 1`,
	)
	states = nil
	if strings.Contains(scrape(t, m), "iqgw_breaker_state{") {
		t.Error("a breaker is shown that does not exist any more")
	}
	var none *observability.Metrics
	none.BreakerChanged(ctx, crm, "", "", "")
	none.BreakerRefused(ctx, crm, "")
	none.BreakerCounted(ctx, crm, "", "")
	none.Retried(ctx, "", "", "")
	none.RetryStopped(ctx, "", "", "")
}
