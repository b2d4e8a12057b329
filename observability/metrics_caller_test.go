package observability_test

import (
	"testing"
	"time"

	"iqgateway/observability"
)

func TestCallerMetrics(t *testing.T) {
	m, ctx := newMetrics(t), t.Context()
	m.CallerRefused(ctx, "shop", "rate")
	m.CallerRefused(ctx, "shop", "rate")
	m.CallerRefused(ctx, "shop", "concurrency")
	m.CallerLimitAsked(ctx, "ok", 2*time.Second)
	m.CallerLimitAsked(ctx, "failed", time.Second)
	load := []observability.CallerLoad{{Caller: "shop", InFlight: 3}, {Caller: "erp"}}
	if err := m.ObserveCallers(func() []observability.CallerLoad { return load }); err != nil {
		t.Fatal(err)
	}
	wantMetrics(t, m,
		`iqgw_caller_limit_refused_total{caller="shop",reason="rate"} 2`,
		`iqgw_caller_limit_refused_total{caller="shop",reason="concurrency"} 1`,
		`iqgw_caller_limit_trip_duration_seconds_sum{outcome="ok"} 2`,
		`iqgw_caller_limit_trip_duration_seconds_sum{outcome="failed"} 1`,
		`iqgw_caller_in_flight{caller="shop"} 3`,
		`iqgw_caller_in_flight{caller="erp"} 0`,
	)
	var none *observability.Metrics
	none.CallerRefused(ctx, "", "")
	none.CallerLimitAsked(ctx, "", 0)
}
