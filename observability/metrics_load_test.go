package observability_test

import (
	"strings"
	"testing"
	"time"

	"iqgateway/observability"
)

func TestLoadMetrics(t *testing.T) {
	m, ctx := newMetrics(t), t.Context()
	m.SlotWaited(ctx, "rc", "crm", 2*time.Second)
	m.SlotRefused(ctx, "rc", "crm", "full")
	m.SlotRefused(ctx, "rc", "crm", "full")
	m.Shed(ctx)
	memory := observability.MemoryLoad{InUse: 900, Limit: 1000, Shedding: true}
	upstreams := []observability.UpstreamLoad{
		{Environment: "rc", Service: "crm", InFlight: 3, Waiting: 2, Limit: 256},
		{Environment: "rc", Service: "catalogs", InFlight: 1},
	}
	err := m.ObserveLoad(func() []observability.UpstreamLoad { return upstreams }, func() observability.MemoryLoad { return memory })
	if err != nil {
		t.Fatal(err)
	}
	const crm = `environment="rc",service="crm"`
	wantMetrics(t, m,
		`iqgw_bulkhead_wait_duration_seconds_sum{`+crm+`} 2`,
		`iqgw_bulkhead_refused_total{environment="rc",reason="full",service="crm"} 2`,
		`iqgw_bulkhead_shed_total 1`,
		`iqgw_bulkhead_in_flight{`+crm+`} 3`,
		`iqgw_bulkhead_waiting{`+crm+`} 2`,
		`iqgw_bulkhead_limit{`+crm+`} 256`,
		`iqgw_bulkhead_in_flight{environment="rc",service="catalogs"} 1`,
		`iqgw_bulkhead_memory_bytes 900`,
		`iqgw_bulkhead_memory_limit_bytes 1000`,
		`iqgw_bulkhead_shedding 1`,
	)
	memory.Limit = 0
	text := scrape(t, m)
	if strings.Contains(text, "iqgw_bulkhead_memory") || strings.Contains(text, `iqgw_bulkhead_limit{environment="rc",service="catalogs"}`) {
		t.Error("a limit that is absent is shown")
	}
	var none *observability.Metrics
	none.SlotWaited(ctx, "", "", 0)
	none.SlotRefused(ctx, "", "", "")
	none.Shed(ctx)
}
