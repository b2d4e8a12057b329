package main

import (
	"context"
	"net/http"
	"sync"
	"testing"

	"iqgateway/internal/exchange"
	"iqgateway/internal/iqsim"
)

const twoSlots = "  crm: {limits: {max_in_flight: 2}, quota: {kind: none}, cache: {mode: none}}\n"

// A caller whose slow requests have taken all slots of an upstream, and all
// places of those who wait for one, keeps no other from it: the last of them
// gives its place.
func TestREL33OneCallerDoesNotTakeAnUpstream(t *testing.T) {
	r := newSickRig(t, twoSlots, rigOptions{})
	r.do(t, http.MethodGet, customers, "").want(t, http.StatusOK)
	r.arm(t, iqsim.Fault{Kind: iqsim.FaultStall, Service: "crm", Method: http.MethodGet, Count: 2})
	load := func(of, n string) func() bool {
		return func() bool {
			return len(r.metric(t, "iqgw_bulkhead_"+of, `environment="sim",service="crm"} `+n)) == 1
		}
	}
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	var all sync.WaitGroup
	defer all.Wait()
	for range 2 {
		all.Go(func() { _, _ = r.try(ctx, http.MethodGet, customers, "") })
	}
	await(t, "both slots are taken", load("in_flight", "2"))
	ask := func(answers chan<- answer, edit ...func(*http.Request)) {
		a, err := r.try(t.Context(), http.MethodGet, customers, "", edit...)
		if err != nil {
			a.Response = &http.Response{Status: err.Error()}
		}
		answers <- a
	}
	queued := make(chan answer, 2)
	for range 2 {
		all.Go(func() { ask(queued) })
	}
	await(t, "both places are taken", load("waiting", "2"))

	other := make(chan answer, 1)
	all.Go(func() { ask(other, r.byTill) })
	a := (<-queued).want(t, http.StatusServiceUnavailable)
	if v := a.verdict(t); v.Type != string(exchange.UpstreamBusy) || v.Outcome != exchange.NotExecuted || a.Header.Get("Retry-After") == "" {
		t.Errorf("%+v, Retry-After %q", v, a.Header.Get("Retry-After"))
	}
	leave() // the slow ones
	(<-other).want(t, http.StatusOK)
	(<-queued).want(t, http.StatusOK)
	await(t, "nothing is left", load("in_flight", "0"))
}
