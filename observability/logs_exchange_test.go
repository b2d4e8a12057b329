package observability_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"iqgateway/observability"
)

// What is written within an exchange leads to its trace, its panic as well; the
// access line has each id once.
func TestLinesWithinAnExchangeNameItsTrace(t *testing.T) {
	sink := &syncBuffer{}
	log, err := observability.NewLogger(sink, observability.LogOptions{Repeats: observability.NewRepeats()})
	if err != nil {
		t.Fatal(err)
	}
	h := observability.Observe(observability.ObserveOptions{Replica: "r1", Logger: log})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		log.With(slog.String("service", "crm")).WarnContext(r.Context(), "odd")
		panic("boom")
	}))
	func() {
		defer func() { _ = recover() }() // nobody refuses: the response is cut
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/x", http.NoBody))
	}()
	log.Info("of no exchange")
	lines := sink.lines(t)
	if len(lines) != 4 || lines[0]["service"] != "crm" || lines[1]["panic"] != "boom" || lines[2]["msg"] != "request" || lines[3]["trace_id"] != nil {
		t.Fatalf("log: %v", lines)
	}
	for _, key := range []string{"request_id", "trace_id", "span_id"} {
		want := lines[2][key]
		if want == nil || want == "" || lines[0][key] != want || lines[1][key] != want {
			t.Errorf("%s: %v, %v, %v", key, lines[0][key], lines[1][key], want)
		}
	}
}
