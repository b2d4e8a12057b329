package traces_test

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"iqgateway/internal/iqsim"
	"iqgateway/test/rig"
	"iqgateway/test/traces"
)

func quotaScenarios() []scenario {
	spent := asks(ask{target: prices}, http.StatusOK)
	return []scenario{
		{name: "quota_waited", prepare: spent, act: asks(ask{target: prices}, http.StatusOK), traces: 1, met: waited},
		{name: "quota_refused", prepare: spent, act: refusedForQuota, traces: 1, met: refused},
		{name: "upstream_429", prepare: asks(ask{target: customers, caller: "outspent"}, http.StatusOK), act: outspent, traces: 1},
	}
}

// waited reports whether a request had to wait for quota, for a time that is seen:
// a busy machine may ask when the window is all but over.
func waited(spans []traces.Span) bool {
	return slices.ContainsFunc(spans, func(s traces.Span) bool {
		return s.Text("iqgw.quota.result") == "waited" && s.Took() >= 100*time.Millisecond
	})
}

func refused(spans []traces.Span) bool {
	return slices.ContainsFunc(spans, func(s traces.Span) bool { return s.Name == "quota.acquire" && s.Status == "error" })
}

// refusedForQuota asks while the window is spent; a busy machine may come when it
// is over.
func refusedForQuota(t *testing.T, s *subject) {
	t.Helper()
	s.try(t.Context(), ask{target: prices, header: map[string]string{"X-Gateway-Wait": "0"}})
}

// outspent asks for what the gateway believes to be there, and others have used up.
func outspent(t *testing.T, s *subject) {
	t.Helper()
	if fits, err := s.Consume("", "pricing", clientOf("outspent"), 1); !fits || err != nil {
		t.Fatal(fits, err)
	}
	s.do(t, ask{target: prices, caller: "outspent"}, http.StatusOK)
}

func tokenScenarios() []scenario {
	return []scenario{
		{name: "token_fetched", act: asks(ask{target: customers, caller: "fresh"}, http.StatusOK), traces: 2},
		{name: "token_replayed", prepare: revoked, act: asks(ask{target: customers, caller: "replayed"}, http.StatusOK), traces: 2},
		{name: "token_ahead", act: shortLived, traces: 4},
	}
}

// revoked has the token of a caller be good for nothing.
func revoked(t *testing.T, s *subject) {
	t.Helper()
	s.do(t, ask{target: customers, caller: "replayed"}, http.StatusOK)
	if n, err := s.RevokeTokens(iqsim.TokenQuery{Account: userOf("replayed")}); err != nil || n != 1 {
		t.Fatalf("%d tokens revoked, %v", n, err)
	}
}

// shortLived has a caller come when its token is due for renewal, and good still.
func shortLived(t *testing.T, s *subject) {
	t.Helper()
	lifetime := func(d time.Duration, says int) {
		rig.Must(t, s.Switch(func(w *iqsim.Switches) { w.TokenLifetime, w.ExpiresIn = iqsim.Duration(d), says }))
	}
	lifetime(6*time.Second, 6)
	s.do(t, ask{target: customers, caller: "early"}, http.StatusOK)
	lifetime(12*time.Hour, 0)
	rig.Pass(t.Context(), 3100*time.Millisecond)
	s.do(t, ask{target: customers, caller: "early"}, http.StatusOK)
}

func upstreamScenarios() []scenario {
	const person = `{"PrimaryName":"Ada","CustomerTypeId":2}`
	meets := func(fault string) ask { return ask{target: customers, fault: fault} }
	once := func(f iqsim.Fault) func(*testing.T, *subject) {
		f.Service, f.Count = "crm", 1
		return func(t *testing.T, s *subject) { t.Helper(); s.arm(t, f) }
	}
	return []scenario{
		{name: "retried_503", prepare: once(iqsim.Fault{Kind: iqsim.FaultStatus}), act: asks(meets(""), http.StatusOK), traces: 1},
		{name: "retried_reset", prepare: once(iqsim.Fault{Kind: iqsim.FaultReset}), act: asks(meets(""), http.StatusOK), traces: 1},
		{name: "failed_500", act: asks(meets("kind=status&status=500"), http.StatusInternalServerError), traces: 1},
		{name: "outcome_unknown", act: asks(ask{method: http.MethodPost, target: customers, body: person, fault: "kind=reset&at=after"}, http.StatusBadGateway), traces: 1},
		{name: "truncated", act: cut, traces: 1},
		{name: "caller_left", act: left, traces: 1},
		{name: "upstream_timeout", act: asks(ask{target: customers, fault: "kind=stall", header: map[string]string{"X-Request-Timeout-Ms": "1000"}}, http.StatusGatewayTimeout), traces: 1},
		{name: "slot_waited", act: slotWaited, traces: 2},
		{name: "miss_timeout", act: late, traces: 2},
		{name: "miss_breaker_open", prepare: opened("catalogs"), act: asks(ask{target: items + "?open"}, http.StatusServiceUnavailable), traces: 1},
		{name: "breaker_open", prepare: opened("order"), act: asks(ask{target: "/order/v1/ping"}, http.StatusServiceUnavailable), traces: 1},
	}
}

// cut asks for an answer that does not come as a whole.
func cut(t *testing.T, s *subject) {
	t.Helper()
	if a := s.try(t.Context(), ask{target: customers, fault: "kind=truncate&bytes=5"}); a.status != http.StatusOK || a.err == nil {
		t.Errorf("%d %v", a.status, a.err)
	}
}

// left goes away while the upstream works.
func left(t *testing.T, s *subject) {
	t.Helper()
	h := s.gate.hold("?left")
	defer h.release()
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	var gone sync.WaitGroup
	gone.Go(func() { s.try(ctx, ask{target: customers + "?left"}) })
	<-h.arrived
	leave()
	gone.Wait()
	s.gauge(t, 0, "http_server_active_requests") // it has noticed
}

// late has no answer in time for a read that can be stored: its fetch goes on.
func late(t *testing.T, s *subject) {
	t.Helper()
	h := s.gate.hold("?late")
	defer h.release()
	s.do(t, ask{target: items + "?late", header: map[string]string{"X-Request-Timeout-Ms": "1000"}}, http.StatusGatewayTimeout)
}

// opened has the breaker of a service be open.
func opened(service string) func(*testing.T, *subject) {
	return func(t *testing.T, s *subject) {
		t.Helper()
		s.order(t, "/api/v1/breakers/open", map[string]string{"breaker": "sim/" + service, "for": "1m", "reason": "to see what is traced"})
	}
}

// slotWaited has a request wait for the only slot of its upstream.
func slotWaited(t *testing.T, s *subject) {
	t.Helper()
	const orders = "/order/v1/ping"
	h := s.gate.hold("?holds")
	defer h.release()
	var both sync.WaitGroup
	both.Go(func() { s.try(t.Context(), ask{target: orders + "?holds"}) })
	<-h.arrived
	both.Go(func() { s.try(t.Context(), ask{target: orders}) })
	s.gauge(t, 1, "iqgw_bulkhead_waiting", `service="order"`)
	h.release()
	both.Wait()
}
