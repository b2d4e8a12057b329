package observability

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"iqgateway/internal/exchange"
)

// More callers than there is room for: nothing is lost, and no counter falls while
// nothing happens.
func TestSumsOfWhatFindsNoRoom(t *testing.T) {
	const callers = maxTallies + 500
	m, err := NewMetrics(BuildInfo{})
	if err != nil {
		t.Fatal(err)
	}
	s := &observation{ex: &exchange.Exchange{Target: &exchange.Target{Environment: "rc", Service: "crm"}}}
	s.ex.Cache.Result = exchange.CacheMiss
	for i := range callers {
		s.ex.Caller = &exchange.Caller{Name: "caller-" + strconv.Itoa(i)}
		m.exchanges.count(s, "", time.Duration(i)*time.Millisecond/7)
	}
	m.exchanges.count(&observation{ex: &exchange.Exchange{Refused: "unknown"}}, "unauthorized", time.Millisecond)

	text := servedBy(m)
	for name, want := range map[string]float64{
		"iqgw_exchanges_total": callers + 1, "iqgw_cache_requests_total": callers, "iqgw_auth_refused_total": 1,
	} {
		if got := sumOf(t, text, name); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	const overflow = `iqgw_exchange_duration_seconds_total{otel_metric_overflow="true"}`
	first := sumOf(t, text, overflow)
	for range 5 {
		if again := sumOf(t, servedBy(m), overflow); again != first || again == 0 {
			t.Fatalf("%v became %v", first, again)
		}
	}
}

func servedBy(m *Metrics) string {
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return w.Body.String()
}

// sumOf adds up the series that begin with a name.
func sumOf(t *testing.T, text, name string) (sum float64) {
	t.Helper()
	for _, line := range regexp.MustCompile(`(?m)^`+regexp.QuoteMeta(name)+`[ {].*$`).FindAllString(text+"\n", -1) {
		n, err := strconv.ParseFloat(line[strings.LastIndexByte(line, ' ')+1:], 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return sum
}
