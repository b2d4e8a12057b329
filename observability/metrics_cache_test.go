package observability_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"iqgateway/internal/exchange"
	"iqgateway/observability"
)

// observeOnce sends one request through the stage; decide plays the others.
func observeOnce(t *testing.T, m *observability.Metrics, decide func(*exchange.Exchange)) {
	t.Helper()
	h := observability.Observe(observability.ObserveOptions{Replica: "r1", Metrics: m})(
		http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			ex := exchange.From(r.Context())
			ex.Caller = &exchange.Caller{Name: "storefront"}
			ex.Target = &exchange.Target{Environment: "production", Service: "crm"}
			decide(ex)
		}))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/crm/v1/x?secret", nil))
}

func TestCacheMetrics(t *testing.T) {
	m, ctx := newMetrics(t), t.Context()
	view := func() exchange.QuotaView { return exchange.QuotaView{} }
	for _, v := range []exchange.CacheView{
		{Result: exchange.CacheHit, Saved: 1},
		{Result: exchange.CacheHit, Saved: 1},
		{Result: exchange.CacheMiss, Reason: "uri-miss"},
		{Result: exchange.CacheStale, Reason: "quota", Saved: 1},
		{}, // never reached it
	} {
		observeOnce(t, m, func(ex *exchange.Exchange) { ex.Cache, ex.QuotaView = v, view })
	}
	observeOnce(t, m, func(ex *exchange.Exchange) { // a service that nobody counts
		ex.Cache = exchange.CacheView{Result: exchange.CacheCoalesced, Saved: 1}
	})
	m.CacheInvalidated(ctx, "tree", 2)
	m.CacheRefreshed(ctx, "production", "crm", "failed")
	m.CacheStored(ctx, "production", "crm")
	who := `caller="storefront",environment="production",`
	wantMetrics(t, m,
		`iqgw_cache_requests_total{`+who+`result="hit",service="crm"} 2`,
		`iqgw_cache_requests_total{`+who+`reason="uri-miss",result="miss",service="crm"} 1`,
		`iqgw_cache_requests_total{`+who+`reason="quota",result="stale",service="crm"} 1`,
		`iqgw_cache_requests_total{`+who+`result="coalesced",service="crm"} 1`,
		`iqgw_cache_saved_calls_total{`+who+`service="crm"} 4`,
		`iqgw_cache_saved_tokens_total{`+who+`service="crm"} 3`,
		`iqgw_cache_invalidations_total{kind="tree"} 2`,
		`iqgw_cache_refreshes_total{environment="production",outcome="failed",service="crm"} 1`,
		`iqgw_cache_stores_total{environment="production",service="crm"} 1`,
	)
	if strings.Contains(scrape(t, m), `result=""`) {
		t.Error("a request that never reached the cache is counted there")
	}
}

func TestCacheGauges(t *testing.T) {
	m := newMetrics(t)
	state := observability.CacheState{
		Limit: 256 << 20, Objects: 7, Evicted: 4096, Silence: 40 * time.Millisecond,
		Services: []observability.CacheServiceState{
			{Environment: "production", Service: "crm", Bytes: 1234},
			{Environment: "production", Service: "pricing", SuggestedHits: 5, SuggestedMisses: 2},
		},
	}
	if err := m.ObserveCache(func() observability.CacheState { return state }); err != nil {
		t.Fatal(err)
	}
	wantMetrics(t, m,
		`iqgw_cache_limit_bytes 2.68435456e+08`,
		`iqgw_cache_objects 7`,
		`iqgw_cache_evicted_bytes_total 4096`,
		`iqgw_cache_log_age_seconds 0.04`,
		`iqgw_cache_stored_bytes{environment="production",service="crm"} 1234`,
		`iqgw_cache_suggested_total{environment="production",result="hit",service="pricing"} 5`,
		`iqgw_cache_suggested_total{environment="production",result="miss",service="pricing"} 2`,
	)
	if strings.Contains(scrape(t, m), `iqgw_cache_suggested_total{environment="production",result="hit",service="crm"}`) {
		t.Error("a service without suggested rules is shown as one")
	}
}

// A nil *Metrics measures nothing, of the cache neither.
func TestCacheMetricsOfNobody(t *testing.T) {
	var m *observability.Metrics
	m.CacheInvalidated(t.Context(), "tree", 1)
	m.CacheRefreshed(t.Context(), "production", "crm", "ok")
	m.CacheStored(t.Context(), "production", "crm")
	observeOnce(t, m, func(ex *exchange.Exchange) { ex.Cache.Result = exchange.CacheHit })
}
