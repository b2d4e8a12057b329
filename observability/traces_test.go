package observability_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"iqgateway/internal/exchange"
	"iqgateway/observability"
)

// refuseByStatus answers as the errors stage does, as far as observe is concerned.
func refuseByStatus(w http.ResponseWriter, r *http.Request, err error) {
	p := err.(*exchange.Problem) //nolint:errorlint // the test's own
	exchange.From(r.Context()).Problem = p
	w.WriteHeader(p.Status())
}

// known makes what follows the request of a caller that is known.
func known(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		exchange.From(r.Context()).Caller = &exchange.Caller{Name: "pos"}
		next(w, r)
	}
}

func TestAnExchangeReachesTheCollector(t *testing.T) {
	c := newCollector(t)
	traces, metrics, stop := tracesTo(t, c.URL, io.Discard)
	h := traced(observability.TracingOptions{Traces: traces, Export: true, Sample: 1}, known(func(w http.ResponseWriter, r *http.Request) {
		ex := exchange.From(r.Context())
		ex.SetTarget(exchange.Target{Environment: "sim", Service: "crm", Route: "/sim/crm/v1/**"})
		ex.Cache = exchange.CacheView{Result: exchange.CacheMiss, Reason: "uri-miss"}
		ex.Waited(ex.Start, exchange.Wait{Kind: exchange.WaitQuota, Result: exchange.QuotaGranted, Bucket: "sim/crm/authenticated"})
		ex.Tried(ex.Start, exchange.Try{Host: "crm.example:8443", Status: 200})
		w.WriteHeader(http.StatusOK)
	}))
	h.ServeHTTP(httptest.NewRecorder(), plainGet())
	c.await(t, 1)
	stop()
	for _, want := range []string{"GET /sim/crm/v1/**", "cache.lookup", "quota.acquire", "crm.example", "iqgateway", "1.2.3", "service.instance.id"} {
		if !c.has(want) {
			t.Errorf("nothing of %s arrived", want)
		}
	}
	if c.has("secret") {
		t.Error("the path or the query was exported")
	}
	if got := lineWith(scraped(t, metrics, false), `iqgw_telemetry_exported_total{`); !strings.HasSuffix(got, " 4\n") {
		t.Errorf("counted %q", got)
	}
}
