package observability_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"iqgateway/internal/exchange"
	"iqgateway/observability"
)

func contextWithCancel(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	return ctx, cancel
}

func scrape(t *testing.T, m *observability.Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("/metrics: %d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func TestMetricsNameWhatHappened(t *testing.T) {
	server, _, metrics := observed(t, func(w http.ResponseWriter, r *http.Request) {
		ex := exchange.From(r.Context())
		ex.Caller = &exchange.Caller{Name: "storefront"}
		ex.Target = &exchange.Target{Environment: "sandbox", Service: "crm", Route: "/sandbox/crm/**"}
		ex.Credential = "retail"
		w.WriteHeader(http.StatusTeapot)
	})
	if _, _, err := get(t, server.URL); err != nil {
		t.Fatal(err)
	}
	server.Close()
	metrics.Attempted(t.Context(), observability.Attempt{
		Method: http.MethodGet, Environment: "sandbox", Service: "crm", Credential: "retail",
		Host: "crmdemo.iqmetrix.net", Port: 443, Status: 418, Duration: 30 * time.Millisecond,
	})
	text := scrape(t, metrics)
	for _, want := range []string{
		`http_server_request_duration_seconds_count{http_request_method="GET",http_response_status_code="418",http_route="/sandbox/crm/**",url_scheme="http"} 1`,
		`http_client_request_duration_seconds_bucket{credential="retail",environment="sandbox",error_type="418",http_request_method="GET",http_response_status_code="418",server_address="crmdemo.iqmetrix.net",server_port="443",service="crm",le="0.05"} 1`,
		`iqgw_exchanges_total{caller="storefront",environment="sandbox",outcome="ok",service="crm"} 1`,
		`http_server_active_requests{http_request_method="GET",url_scheme="http"} 0`,
		`iqgw_build_info{version="test"} 1`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
}

// Whoever is refused is counted once, by the reason, over all requests.
func TestRefusedCallersAreCounted(t *testing.T) {
	var reason string
	server, _, metrics := observed(t, func(w http.ResponseWriter, r *http.Request) {
		exchange.From(r.Context()).Refused = reason
		w.WriteHeader(http.StatusUnauthorized)
	})
	for _, reason = range []string{"unknown", "expired", "unknown", ""} {
		if _, _, err := get(t, server.URL); err != nil {
			t.Fatal(err)
		}
	}
	server.Close()
	text := scrape(t, metrics)
	for _, want := range []string{`iqgw_auth_refused_total{reason="unknown"} 2`, `iqgw_auth_refused_total{reason="expired"} 1`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
	if n := strings.Count(text, "\niqgw_auth_refused_total{"); n != 2 {
		t.Errorf("%d series", n)
	}
}

// Who may not ask makes no series of the routes that there are.
func TestRoutesOfWhatWasNotAllowed(t *testing.T) {
	server, _, metrics := observed(t, func(w http.ResponseWriter, r *http.Request) {
		exchange.From(r.Context()).Target = &exchange.Target{Environment: "sandbox", Service: "crm", Route: "/sandbox/crm" + r.URL.Path}
		w.WriteHeader(http.StatusForbidden)
	})
	for i := range 20 {
		if _, _, err := get(t, server.URL+"/"+strconv.Itoa(i)); err != nil {
			t.Fatal(err)
		}
	}
	server.Close()
	want := `http_server_request_duration_seconds_count{http_request_method="GET",http_response_status_code="403",url_scheme="http"} 20`
	if text := scrape(t, metrics); !strings.Contains(text, want) {
		t.Errorf("no %s", want)
	}
}

// Nothing that a caller chooses becomes a label.
func TestCallersCannotMakeSeries(t *testing.T) {
	metrics, err := observability.NewMetrics(observability.BuildInfo{})
	if err != nil {
		t.Fatal(err)
	}
	h := observability.Observe(observability.ObserveOptions{Metrics: metrics})(
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }))
	send := func(i int) {
		r := httptest.NewRequest(fmt.Sprintf("M%d", i), fmt.Sprintf("/p%d?q=%d", i, i), nil)
		r.Host = fmt.Sprintf("evil%d.example", i)
		r.Header.Set("User-Agent", fmt.Sprint(i))
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	send(0)
	before := strings.Count(scrape(t, metrics), "\n")
	for i := range 10_000 {
		send(i)
	}
	if after := strings.Count(scrape(t, metrics), "\n"); after > before+2 {
		t.Errorf("%d lines before, %d after 10 000 distinct requests", before, after)
	}
}

func TestNilMetricsMeasureNothing(t *testing.T) {
	var m *observability.Metrics
	m.Attempted(t.Context(), observability.Attempt{})
	m.TokenFetched(t.Context(), observability.TokenFetch{})
	m.TokenWaited(t.Context(), "", "", 0)
	m.TokenAdopted(t.Context(), "", "")
	m.TokenRolledBack(t.Context(), "", "")
	m.TokenRejected(t.Context(), "", "", "")
	m.SecretUnread(t.Context(), "", "")
	m.StoreCalled(t.Context(), "", "", "", 0)
	m.StoreRejected(t.Context(), "", "", "")
	m.QuotaAsked(t.Context(), observability.QuotaRequest{})
	m.QuotaAcquired(t.Context(), observability.QuotaBucket{}, "", 0)
	m.QuotaUpstreamRefused(t.Context(), observability.QuotaBucket{}, "", 1)
	m.QuotaAnomaly(t.Context(), observability.QuotaBucket{}, "")
	m.QuotaEvent(t.Context(), observability.QuotaBucket{}, "")
	m.QuotaResent(t.Context(), observability.QuotaBucket{}, 1)
	m.QuotaWindowEnded(t.Context(), observability.QuotaWindow{})
	w := httptest.NewRecorder()
	observability.Observe(observability.ObserveOptions{})(http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if w.Code != http.StatusNotFound {
		t.Errorf("status %d", w.Code)
	}
}

// An error of the upstream is passed on as it is, and is told from good answers. Its
// error.type is the status, by OpenTelemetry's conventions.
func TestErrorsOfTheUpstreamHaveAnOutcome(t *testing.T) {
	m := newMetrics(t)
	for status, times := range map[int]int{200: 1, 404: 2, 500: 3, 503: 4} {
		for range times {
			h := observability.Observe(observability.ObserveOptions{Metrics: m})(
				http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
		}
	}
	wantMetrics(t, m,
		`iqgw_exchanges_total{outcome="ok"} 3`,
		`iqgw_exchanges_total{outcome="upstream_error"} 7`,
		`http_server_request_duration_seconds_count{error_type="503",http_request_method="GET",http_response_status_code="503",url_scheme="http"} 4`,
	)
}
