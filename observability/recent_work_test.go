package observability_test

import (
	"testing"
	"time"

	"iqgateway/internal/exchange"
	"iqgateway/observability"
)

// Background work is remembered where nothing is exported, too: the newest, what
// failed, and fetches of tokens, which no number of others displaces.
func TestWorkIsRemembered(t *testing.T) {
	recent := observability.NewRecent()
	traces := observability.NewTraces(observability.TracesOptions{Recent: recent})
	work := func(name, failure string, caller *exchange.Caller) exchange.TraceID {
		ex := &exchange.Exchange{ID: "r1-0123456789abcdef", Start: time.Now(), Trace: exchange.NewTrace(), Caller: caller, Attempts: 1}
		traces.Work(observability.Work{Name: name, Exchange: ex, Took: time.Second, Failure: failure})
		return ex.Trace.ID
	}
	pos, web := &exchange.Caller{Name: "pos"}, &exchange.Caller{Name: "web"}
	fetch := work("token.fetch", "", nil)
	failed := work("cache.refresh", "timeout", web)
	old := work("cache.refresh", "", pos)
	var last exchange.TraceID
	for range 500 {
		work("cache.refresh", "failed", pos)
		last = work("cache.refresh", "", pos)
	}
	all := func(*observability.Record) bool { return true }
	for name, tt := range map[string]struct {
		id            exchange.TraceID
		work, outcome string
	}{
		"the fetch of a token": {fetch, "token.fetch", ""}, "what failed": {failed, "cache.refresh", "timeout"},
		"the last": {last, "cache.refresh", ""}, "an old one": {id: old},
	} {
		found, _ := recent.FindTrace(tt.id, all, 5)
		switch {
		case tt.work == "" && len(found) == 0:
		case len(found) != 1 || !found[0].Work || found[0].Method != tt.work || found[0].Outcome != tt.outcome || found[0].Kept || found[0].Duration != time.Second || found[0].Attempts != 1:
			t.Errorf("%s: %+v", name, found)
		}
	}
	if rec, found := recent.Find("r1-0123456789abcdef"); found {
		t.Errorf("what had it done is found as %+v", rec)
	}
}
