package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"iqgateway/internal/iqsim"
)

// oneSlot has one request to crm under way at a time, by our own bound and by
// that of the quota, so that whatever is not given back shows at once.
const oneSlot = `services:
  crm:
    timeouts: {response_header: 300ms, body_idle: 300ms, total: 5s}
    limits: {max_in_flight: 1}
    quota: {kind: concurrency, max: 1}
    retry: {max_attempts: 1}
    breaker: {min_requests: 1000000}
    cache: {mode: none}
`

// However an upstream stops, what the request held is free for the next one, and
// metrics and log call it what it was.
func TestREL30StallsFreeWhatTheyHold(t *testing.T) {
	r := newRig(t, rigOptions{extra: oneSlot})
	r.do(t, http.MethodGet, customers, "").want(t, http.StatusOK)
	cut := 0
	for _, fault := range []struct {
		iqsim.Fault
		status int // 0 = the answer is cut
	}{
		{iqsim.Fault{Kind: iqsim.FaultStall, At: iqsim.AtBefore}, http.StatusGatewayTimeout},
		{iqsim.Fault{Kind: iqsim.FaultStall, At: iqsim.AtAfter}, http.StatusGatewayTimeout},
		{iqsim.Fault{Kind: iqsim.FaultStall, At: iqsim.AtHeaders}, 0},
		{iqsim.Fault{Kind: iqsim.FaultStall, At: iqsim.AtBody}, 0},
		{iqsim.Fault{Kind: iqsim.FaultReset, At: iqsim.AtBefore}, http.StatusBadGateway},
		{iqsim.Fault{Kind: iqsim.FaultReset, At: iqsim.AtHeaders}, 0},
		{iqsim.Fault{Kind: iqsim.FaultReset, At: iqsim.AtBody}, 0},
		{iqsim.Fault{Kind: iqsim.FaultTruncate}, 0},
		{iqsim.Fault{Kind: iqsim.FaultTruncate, Chunked: true}, 0},
		{iqsim.Fault{Kind: iqsim.FaultRaw, Body: "HTTP/1.1 banana\r\n\r\n"}, http.StatusBadGateway},
	} {
		fault.Service = "crm"
		if _, err := r.AddFault(fault.Fault); err != nil {
			t.Fatal(err)
		}
		a, err := r.try(t.Context(), http.MethodGet, customers, "")
		switch {
		case fault.status == 0 && err == nil:
			t.Errorf("%s at %s: a clean end: %s %.60q", fault.Kind, fault.At, a.Status, a.text)
		case fault.status == 0:
			cut++
		case err != nil || a.StatusCode != fault.status:
			t.Errorf("%s at %s: %v %v, want %d", fault.Kind, fault.At, a.Response, err, fault.status)
		}
		r.RemoveFaults(0)
		// An answer that was cut is given back a moment after its caller has seen it.
		await(t, "the slot is free again", func() bool {
			a := r.do(t, http.MethodGet, customers, "", func(req *http.Request) { req.Header.Set("X-Gateway-Wait", "0") })
			return a.StatusCode == http.StatusOK
		})
	}
	aborted := `iqgw_exchanges_total{caller="storefront",environment="sim",outcome="aborted",service="crm"} ` + strconv.Itoa(cut)
	await(t, "metric "+aborted, func() bool { return strings.Contains(r.get(t, "http://"+r.Admin+"/metrics").text, aborted) })
	if logs := r.logs.String(); strings.Contains(logs, "panic") || strings.Count(logs, `"error":"aborted"`) != cut {
		t.Errorf("the log does not have %d aborted exchanges without a panic", cut)
	}
}

// leaving is one place where a request waits.
type leaving struct {
	extra  string
	before func(t *testing.T, r *rig) // makes it wait
	waits  string                     // the beginning of the metric that shows it
	sent   bool                       // the upstream works on it
}

func leavings() map[string]leaving {
	fault := func(f iqsim.Fault) func(*testing.T, *rig) {
		return func(t *testing.T, r *rig) {
			t.Helper()
			if _, err := r.AddFault(f); err != nil {
				t.Fatal(err)
			}
		}
	}
	held := func(t *testing.T, r *rig) { // by a request that never ends
		t.Helper()
		fault(iqsim.Fault{Kind: iqsim.FaultStall, Service: "crm", Count: 1})(t, r)
		done := make(chan struct{})
		ctx, cancel := context.WithCancel(context.Background())
		t.Cleanup(func() {
			cancel()
			<-done
		})
		go func() {
			defer close(done)
			_, _ = r.try(ctx, http.MethodGet, "/crm/v1/Companies(14146)/Customers?held", "")
		}()
		await(t, "the slot is taken", func() bool { return len(r.calls("crm")) == 1 })
	}
	const patient = "services: {crm: {timeouts: {total: 60s}, cache: {mode: none}, retry: {max_attempts: 3}, limits: {max_in_flight: %d}, quota: {kind: %s}}}\n"
	return map[string]leaving{
		"in the quota's queue": {extra: fmt.Sprintf(patient, 10, "concurrency, max: 1, max_wait: {interactive: 50s}"), before: held, waits: "iqgw_quota_queue_depth"},
		"for a slot":           {extra: fmt.Sprintf(patient, 1, "window"), before: held, waits: "iqgw_bulkhead_waiting"},
		"for a token":          {before: fault(iqsim.Fault{Kind: iqsim.FaultStall, Service: "accounts", Delay: iqsim.Duration(3 * time.Second)})},
		"for the header":       {before: fault(iqsim.Fault{Kind: iqsim.FaultStall, Service: "crm"}), sent: true},
		"for the body":         {before: fault(iqsim.Fault{Kind: iqsim.FaultStall, Service: "crm", At: iqsim.AtBody}), sent: true},
	}
}

// Work for a caller that has left stops at once, wherever it was, and the
// upstream is told. The bound of 100 ms is measured; what fails the test is a
// multiple of it, because other tests run beside it.
func TestWorkStopsWhenTheCallerLeaves(t *testing.T) {
	const bound = 100 * time.Millisecond
	for name, tt := range leavings() {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, rigOptions{extra: tt.extra})
			tt.before(t, r)
			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				_, _ = r.try(ctx, http.MethodGet, "/crm/v1/Companies(14146)/Customers?leaves", "")
			}()
			await(t, "the request waits", func() bool {
				if tt.sent {
					return len(r.leaves()) == 1
				}
				return r.waits(t, tt.waits)
			})
			left := time.Now()
			leave()
			<-ended
			await(t, "the request is over", func() bool {
				return strings.Contains(r.logs.String(), `"error":"client_gone"`)
			})
			here := time.Since(left)
			if tt.sent {
				await(t, "the upstream sees it", func() bool { return r.leaves()[0].Done })
			}
			there := time.Since(left)
			t.Logf("over after %s, at the upstream after %s", here, there)
			if here > 20*bound || there > 20*bound {
				t.Errorf("over after %s, at the upstream after %s; want about %s", here, there, bound)
			}
			if !tt.sent && len(r.leaves()) > 0 {
				t.Errorf("sent all the same: %+v", r.leaves())
			}
		})
	}
}

// waits reports whether a request waits where the metric tells, or for a token.
func (r *rig) waits(t *testing.T, metric string) bool {
	t.Helper()
	if metric == "" {
		return len(r.calls("accounts")) > 0
	}
	for line := range strings.Lines(r.get(t, "http://"+r.Admin+"/metrics").text) {
		if strings.HasPrefix(line, metric) && strings.Contains(line, `service="crm"`) && !strings.HasSuffix(line, " 0\n") {
			return true
		}
	}
	return false
}

// leaves are the requests of the caller that leaves, as the upstream saw them.
func (r *rig) leaves() []iqsim.LedgerEntry {
	var list []iqsim.LedgerEntry
	for _, e := range r.calls("crm") {
		if strings.HasSuffix(e.Target, "?leaves") {
			list = append(list, e)
		}
	}
	return list
}
