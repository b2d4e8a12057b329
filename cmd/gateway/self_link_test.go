package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"iqgateway/internal/exchange"
	"iqgateway/observability"
)

// In whose trace a shared fetch was made is told to that caller and to operators:
// another caller learns no id of it.
func TestLinksToOthersAreNotTold(t *testing.T) {
	finder := requestFinder{replica: "a", recent: observability.NewRecent()}
	leader := exchange.NewTrace()
	served := map[bool]string{} // ids, by whether the leader is the caller's own
	h := observability.Observe(observability.ObserveOptions{Replica: "a", Recent: finder.recent})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		ex := exchange.From(r.Context())
		ex.Caller = &exchange.Caller{Name: "pos"}
		ex.Cache.Result, ex.Link = exchange.CacheCoalesced, leader.Link()
		ex.Link.Own = r.Header.Get("X-Own") != ""
		served[ex.Link.Own] = ex.ID
	}))
	for _, own := range []string{"", "1"} {
		r := httptest.NewRequest(http.MethodGet, "/crm/v1/x", http.NoBody)
		r.Header.Set("Traceparent", traceParent)
		r.Header.Set("X-Own", own)
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	for _, tt := range []struct {
		question requestQuestion
		told     int // of the two requests
	}{
		{requestQuestion{ID: served[true], Caller: "pos"}, 1},
		{requestQuestion{ID: served[false], Caller: "pos"}, 0},
		{requestQuestion{ID: served[false], Operator: true}, 1},
		{requestQuestion{ID: someTrace, Caller: "pos"}, 1},
		{requestQuestion{ID: someTrace, Operator: true}, 2},
	} {
		text := finder.here(tt.question)
		if tt.question.ID == someTrace {
			id, _ := traceOf(someTrace)
			text = encoded(finder.ofTrace(tt.question, id))
		}
		// Each link is named as such, and in the words about the cache.
		if got := strings.Count(string(text), leader.ID.String()); len(text) == 0 || got != 2*tt.told || strings.Count(string(text), leader.Span.String()) != tt.told {
			t.Errorf("%+v: the leader is named %d times in %s", tt.question, got, text)
		}
	}
}
