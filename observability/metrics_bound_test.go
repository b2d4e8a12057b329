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

// estate is a configuration of very many callers and services.
type estate struct{ environments, services, callers int }

func largeEstate() estate { return estate{environments: 2, services: 70, callers: 200} }

// each calls f for everybody who may call anything.
func (e estate) each(f func(environment, service, caller string)) {
	for env := range e.environments {
		for service := range e.services {
			for caller := range e.callers {
				f(fmt.Sprintf("env%d", env), fmt.Sprintf("service%d", service), fmt.Sprintf("caller%d", caller))
			}
		}
	}
}

// serve sends one request of everybody through the stage, and spends a token.
func (e estate) serve(ctx context.Context, m *observability.Metrics) {
	stage := observability.Observe(observability.ObserveOptions{Metrics: m})
	var environment, service, caller string // of the request that is served
	h := stage(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		ex := exchange.From(r.Context())
		ex.Caller = &exchange.Caller{Name: caller}
		ex.Target = &exchange.Target{Environment: environment, Service: service, Route: "/" + environment + "/" + service + "/**"}
	}))
	e.each(func(env, s, c string) {
		environment, service, caller = env, s, c
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", http.NoBody))
		m.QuotaAsked(ctx, observability.QuotaRequest{
			Bucket: observability.QuotaBucket{Environment: env, Service: s, Policy: "authenticated"}, Caller: c, Class: "batch", Waited: time.Second,
		})
	})
}

// Far more callers and services than there is room for: the bound holds, sums stay
// right, it can be seen, and whoever has a series keeps it.
func TestLargeConfigurationsAreBounded(t *testing.T) {
	m, e := newMetrics(t), largeEstate()
	if err := m.ObserveQuotas(e.quotas); err != nil {
		t.Fatal(err)
	}
	e.serve(t.Context(), m)
	first := scrape(t, m)
	e.serve(t.Context(), m)
	second := scrape(t, m)
	all := float64(e.environments * e.services * e.callers)
	for _, name := range []string{"iqgw_exchanges_total", "iqgw_quota_caller_tokens_total", "iqgw_quota_queue_wait_seconds_count", "http_server_request_duration_seconds_count"} {
		if one, two := sumOf(t, first, name), sumOf(t, second, name); one != all || two != 2*all {
			t.Errorf("%s: %v, then %v; want %v each time", name, one, two-one, all)
		}
	}
	for _, name := range []string{"iqgw_exchanges_total", "iqgw_quota_caller_tokens_total", "iqgw_quota_caller_share"} {
		had, has := seriesOf(first, name), seriesOf(second, name)
		if len(has) != 2001 {
			t.Errorf("%s: %d series, want 2000 and the rest", name, len(has))
		}
		if !strings.Contains(second, name+`{otel_metric_overflow="true"}`) {
			t.Errorf("%s: nothing tells that some have no series of their own", name)
		}
		for series := range had {
			if _, kept := has[series]; !kept {
				t.Fatalf("%s is gone with the next scrape", series)
			}
		}
	}
	t.Logf("%d callers × %d services × %d environments: %d series, at most %d with any configuration",
		e.callers, e.services, e.environments, len(seriesOf(second, "")), ceiling(m.Instruments()))
}

// quotas are those of all services, of which everybody has a share.
func (e estate) quotas() []observability.QuotaState {
	byName := map[string]observability.QuotaState{}
	e.each(func(environment, service, caller string) {
		s, ok := byName[environment+service]
		if !ok {
			s = observability.QuotaState{
				Bucket: observability.QuotaBucket{Environment: environment, Service: service, Policy: "authenticated"},
				Mode:   "known", Limit: 1000, Ends: time.Now(), Guarantees: map[string]int64{},
			}
		}
		s.Guarantees[caller] = 1
		byName[environment+service] = s
	})
	var all []observability.QuotaState
	for _, s := range byName {
		all = append(all, s)
	}
	return all
}

// seriesOf are the samples of a metric, by name and labels; "" = of all.
func seriesOf(text, name string) map[string]string {
	found := map[string]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if at := strings.LastIndexByte(line, ' '); at > 0 && line[0] != '#' && (name == "" || strings.HasPrefix(line, name+"{") || strings.HasPrefix(line, name+" ")) {
			found[line[:at]] = line[at+1:]
		}
	}
	return found
}

func sumOf(t *testing.T, text, name string) (sum float64) {
	t.Helper()
	for series, value := range seriesOf(text, name) {
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			t.Fatal(series, err)
		}
		sum += v
	}
	return sum
}
