package proxy_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"iqgateway/internal/exchange"
	"iqgateway/proxy"
)

// patienceOf sends the two fields through the sanitize stage and returns what it
// made of them, or the problem.
func patienceOf(t testing.TB, h http.Header) (ex *exchange.Exchange, left time.Duration, problem string) {
	t.Helper()
	ex = &exchange.Exchange{}
	stage := proxy.Sanitize(proxy.SanitizeOptions{Refuse: refusal})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if deadline, ok := r.Context().Deadline(); ok {
			left = time.Until(deadline)
		}
	}))
	r := httptest.NewRequest(http.MethodGet, "http://a/x", nil)
	r.RequestURI, r.Header = "/x", h
	w := httptest.NewRecorder()
	stage.ServeHTTP(w, r.WithContext(exchange.With(context.Background(), ex)))
	return ex, left, w.Body.String()
}

func TestGatewayWait(t *testing.T) {
	for _, tt := range []struct {
		values []string
		noWait bool
		want   string
	}{
		{nil, false, ""},
		{[]string{"0"}, true, ""},
		{[]string{"1"}, false, ""},
		{[]string{""}, false, string(exchange.MalformedRequest)},
		{[]string{"no"}, false, string(exchange.MalformedRequest)},
		{[]string{"00"}, false, string(exchange.MalformedRequest)},
		{[]string{"0", "0"}, false, string(exchange.MalformedRequest)},
	} {
		h := http.Header{}
		if tt.values != nil {
			h["X-Gateway-Wait"] = tt.values
		}
		ex, _, problem := patienceOf(t, h)
		if ex.NoWait != tt.noWait || problem != tt.want {
			t.Errorf("%q: no wait %t, problem %q", tt.values, ex.NoWait, problem)
		}
	}
}

// FuzzPatience: a request is refused or has a deadline within the bounds; it
// waits unless it says 0 and nothing else.
func FuzzPatience(f *testing.F) {
	f.Add("1500", "0")
	f.Add("99999999999", "1")
	f.Add("-1", " 0")
	f.Add("+5", "")
	f.Add("08", "0")
	f.Fuzz(func(t *testing.T, timeout, wait string) {
		ex, left, problem := patienceOf(t, http.Header{"X-Request-Timeout-Ms": {timeout}, "X-Gateway-Wait": {wait}})
		switch {
		case problem != "":
			if problem != string(exchange.MalformedRequest) {
				t.Errorf("%q, %q: problem %q", timeout, wait, problem)
			}
		case left > 10*time.Minute:
			t.Errorf("%q gives %s", timeout, left)
		case ex.NoWait != (wait == "0"):
			t.Errorf("%q: no wait %t", wait, ex.NoWait)
		default:
			if n, err := strconv.ParseUint(timeout, 10, 64); left > 0 && (err != nil || n == 0) {
				t.Errorf("%q gives %s", timeout, left)
			}
		}
	})
}
