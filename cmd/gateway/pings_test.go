package main

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"iqgateway/internal/fleet"
	"iqgateway/internal/iqsim"
	"iqgateway/proxy"
)

// A ping goes through token and quota, passes an open breaker, and is no
// request that a breaker counts.
func TestPingsOfARunningGateway(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{flags: []string{"--set", "admin.token=" + adminToken}})
	r.operate(t, "forced open", "breaker", "open", "sim/crm", "--for", "10m", "--reason", "x")
	r.operate(t, "sim/crm", "status", "--ping", "--service", "crm")
	calls := r.calls("crm")
	if len(calls) != 1 || !strings.HasSuffix(calls[0].Target, "/ping") || calls[0].Status != http.StatusOK {
		t.Fatalf("calls %+v", calls)
	}
	r.wantMetrics(t, `iqgw_quota_caller_tokens_total{class="background",environment="sim",policy="authenticated",service="crm"} 1`)
	if text := r.get(t, "http://"+r.Admin+"/metrics").text; strings.Contains(text, `iqgw_breaker_results_total{environment="sim",result="success",service="crm"}`) {
		t.Error("a breaker has counted a ping")
	}
	r.operate(t, `"status": 200`, "status", "--ping", "--service", "crm", "-o", "json")
	if _, err := r.AddFault(iqsim.Fault{Service: "crm", Kind: iqsim.FaultStatus, Status: http.StatusServiceUnavailable}); err != nil {
		t.Fatal(err)
	}
	r.operate(t, "503", "status", "--ping", "--service", "crm")
	r.operate(t, "this replica is alone", "status")

	r.do(t, http.MethodGet, catalogItems, "").want(t, http.StatusOK)
	r.operate(t, " asked, each for one token of its quota", "status", "--ping") // all there are
}

// An open breaker closes by its active probe, without a request of a caller.
func TestActiveProbeClosesABreaker(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{
		flags: []string{"--set", "admin.token=" + adminToken},
		extra: "services: {crm: {retry: {max_attempts: 1}, breaker: {min_requests: 3, open_for: 1s, open_for_max: 1s, active_probe: true}}}\n",
	})
	r.do(t, http.MethodGet, customers, "").want(t, http.StatusOK)
	if _, err := r.AddFault(iqsim.Fault{Service: "crm", Kind: iqsim.FaultStatus, Status: http.StatusServiceUnavailable}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		r.do(t, http.MethodGet, customers, "").want(t, http.StatusServiceUnavailable)
	}
	pinged := func(status int) func() bool {
		return func() bool {
			calls := r.calls("crm")
			last := calls[len(calls)-1]
			return strings.HasSuffix(last.Target, "/ping") && last.Status == status
		}
	}
	await(t, "the upstream is pinged", pinged(http.StatusServiceUnavailable))
	r.wantMetrics(t, `iqgw_breaker_state{environment="sim",service="crm",state="closed"} 0`)
	r.RemoveFaults(0)
	await(t, "the breaker closes", func() bool {
		return strings.Contains(r.get(t, "http://"+r.Admin+"/metrics").text, `iqgw_breaker_state{environment="sim",service="crm",state="closed"} 1`)
	})
	if !pinged(http.StatusOK)() {
		t.Error("it has closed by something else than a ping")
	}
	r.wantMetrics(t, `iqgw_breaker_transitions_total{environment="sim",from="open",reason="ping",service="crm",to="closed"} 1`)
	r.do(t, http.MethodGet, customers, "").want(t, http.StatusOK)
}

// Many pings go out eight at a time, and end when their time is over.
func TestPingsAreBounded(t *testing.T) {
	var running atomic.Int64
	var once sync.Once
	full := make(chan struct{}) // closed once as many run as may
	services := make([]serviceDocument, 30)
	for i := range services {
		services[i] = serviceDocument{Environment: "sim", Service: strings.Repeat("s", i+1), Ping: "/ping"}
	}
	admin := serviceAdmin{list: func() []serviceDocument { return services }, ping: func(ctx context.Context, _ serviceKey) (proxy.Pong, error) {
		defer running.Add(-1)
		switch n := running.Add(1); {
		case n > pingsAtOnce:
			t.Errorf("%d pings at once", n)
		case n == pingsAtOnce:
			once.Do(func() { close(full) })
		}
		<-full
		if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > pingTimeout {
			t.Error("a ping without a bound")
		}
		return proxy.Pong{Status: http.StatusOK}, nil
	}}
	wantCommand(t, adminServer(t, append(admin.endpoints(), statusAdmin{
		stores: func() []storeDocument { return nil }, breakers: func(context.Context) []breakerDocument { return nil },
		ask:     func(context.Context) ([]fleet.Answer, error) { return nil, nil },
		members: func(context.Context) ([]fleet.Member, error) { return nil, nil }, overrides: func() []overrideDocument { return nil },
	}.endpoints()...)...), exitOK, []string{"30 asked"}, "status", "--ping")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if d := admin.pinged(ended, serviceKey{}); !strings.Contains(d.Problem, "not asked") || d.Status != 0 {
		t.Errorf("%+v", d)
	}
}
