package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"iqgateway/internal/exchange"
	"iqgateway/observability"
)

// The fetch of a token that a request has waited for is explained to operators; it
// is no caller's.
func TestExplainBackgroundWork(t *testing.T) {
	r := newSickRig(t, "  crm: {FAULTS}\n", rigOptions{access: `{crm: read}`})
	r.do(t, http.MethodGet, customers, "").want(t, http.StatusOK)
	r.operate(t, "invalidate retail", "token", "invalidate", "retail")
	d := r.own(t, r.do(t, http.MethodGet, customers, "").want(t, http.StatusOK))
	var fetch string
	for _, w := range d.Waits {
		if w.Link != nil {
			fetch = w.Link.TraceID
		}
	}
	if fetch == "" {
		t.Fatalf("no fetch was waited for: %+v", d.Waits)
	}
	if out := r.explained(t, d.RequestID); !strings.Contains(out, fetch) {
		t.Errorf("the fetch is not named in\n%s", out)
	}
	var found traceDocument
	await(t, "the record of the fetch", func() bool {
		text := r.get(t, "http://"+r.Admin+pathRequests+fetch, bearer(adminToken)).text
		return json.Unmarshal([]byte(text), &found) == nil && len(found.Requests) == 1
	})
	work := found.Requests[0]
	work.says(t, map[string]string{"cause": "a request in trace " + d.TraceID, "attempts": "1 to ", "answer": "done after"})
	if said := work.words(); said["authenticate"]+said["route"]+said["authorize"] != "" || len(work.Attempts) != 1 || work.Attempts[0].Status != http.StatusOK {
		t.Errorf("%+v", work)
	}
	out := r.explained(t, fetch)
	if !strings.Contains(out, "token.fetch: sim/retail") {
		t.Error(out)
	}
	fits(t, out)
	r.do(t, http.MethodGet, pathOwnRequests+fetch, "").want(t, http.StatusNotFound)
}

// A refresh is not its caller's to see, who happened to come by when it was due.
func TestWorkIsNoCallers(t *testing.T) {
	finder := requestFinder{replica: "a", recent: observability.NewRecent()}
	cause := exchange.NewTrace()
	ex := &exchange.Exchange{ID: "a-0000", Caller: &exchange.Caller{Name: "pos"}, Trace: exchange.NewTrace(), Link: cause.Link()}
	ex.Cache.Result = exchange.CacheCoalesced
	observability.NewTraces(observability.TracesOptions{Recent: finder.recent}).Work(observability.Work{Name: "cache.refresh", Exchange: ex, Failure: "upstream-timeout"})
	if d := finder.ofTrace(requestQuestion{Caller: "pos"}, ex.Trace.ID); len(d.Requests) != 0 {
		t.Errorf("the caller sees %+v", d.Requests)
	}
	d := finder.ofTrace(requestQuestion{Operator: true}, ex.Trace.ID)
	if len(d.Requests) != 1 || d.Requests[0].Work != "cache.refresh" || d.Requests[0].Method != "" {
		t.Fatalf("the operator sees %+v", d.Requests)
	}
	d.Requests[0].says(t, map[string]string{"cause": cause.ID.String(), "answer": "upstream-timeout after"})
	if words := d.Requests[0].words()["cache"]; strings.Contains(words, cause.ID.String()) {
		t.Errorf("what caused it is taken for what brought its answer: %s", words)
	}
}
