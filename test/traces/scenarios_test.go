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

// Targets; a scenario adds a query of its own.
const (
	customers = "/crm/v1/Companies(14146)/Customers"
	items     = "/catalogs/v1/Companies(14146)/Catalog/Items"
	tree      = "/entitymanager/v1/Companies(14146)/Tree"
	stock     = "/availability/v1/Companies(14146)/Entities(14202)/CatalogItems"
	prices    = "/pricing/v1/Companies(14146)/Entities(14202)/CatalogItems"
)

// window is that of the upstream's quotas.
const window = 2 * time.Second

func treeSettings() settings {
	return settings{
		callers: []string{"replayed", "fresh", "early", "outspent"},
		window:  window, quotas: map[string]int{"pricing": 1},
		services: `  crm: {headers: {forward: [X-Sim-Fault]}, retry: {budget: 100%}, breaker: {min_requests: 1000000}}
  order: {headers: {forward: [X-Sim-Fault]}, limits: {max_in_flight: 1}, breaker: {min_requests: 1000000}}
  entitymanager: {cache: {rules: [{path: "/v1/Companies({company})/Tree", ttl: 1s}]}}
  availability: {cache: {rules: [{path: "/v1/Companies({company})/Entities({entity})/CatalogItems", ttl: 1s, stale_while_revalidate: 1h}]}}
  pricing: {quota: {assume: 1/2s, max_wait: {interactive: 10s}}, cache: {mode: none}}
`,
	}
}

// asks makes one request that is answered so.
func asks(a ask, status int) func(*testing.T, *subject) {
	return func(t *testing.T, s *subject) {
		t.Helper()
		s.do(t, a, status)
	}
}

func cacheScenarios() []scenario {
	return []scenario{
		{name: "miss", act: asks(ask{target: items + "?miss"}, http.StatusOK), traces: 1},
		{name: "hit", prepare: asks(ask{target: items + "?hit"}, http.StatusOK), act: asks(ask{target: items + "?hit"}, http.StatusOK), traces: 1},
		{name: "bypass", act: asks(ask{target: customers}, http.StatusOK), traces: 1},
		{name: "revalidated", prepare: confirming, act: asks(ask{target: tree + "?revalidated"}, http.StatusOK), traces: 1},
		{
			name: "stale_refreshed", prepare: outdated(stock + "?refreshed"), act: asks(ask{target: stock + "?refreshed"}, http.StatusOK), traces: 2,
		},
		{name: "coalesced", act: coalesced(false), traces: 2, met: shared},
		{name: "leader_left", act: coalesced(true), traces: 3, met: shared},
		{name: "only_if_cached", act: asks(ask{target: items + "?none", header: map[string]string{"Cache-Control": "only-if-cached"}}, http.StatusGatewayTimeout), traces: 1},
	}
}

// outdated has an answer stored that is stale then.
func outdated(target string) func(*testing.T, *subject) {
	return func(t *testing.T, s *subject) {
		t.Helper()
		s.do(t, ask{target: target}, http.StatusOK)
		rig.Pass(t.Context(), 1100*time.Millisecond)
	}
}

// confirming has a stale answer that the upstream is going to confirm.
func confirming(t *testing.T, s *subject) {
	t.Helper()
	tag := []iqsim.Field{{Name: "ETag", Value: `"v1"`}}
	s.arm(t, iqsim.Fault{Kind: iqsim.FaultFields, Service: "entitymanager", Count: 1, Fields: tag})
	outdated(tree+"?revalidated")(t, s)
	s.arm(t, iqsim.Fault{Kind: iqsim.FaultStatus, Service: "entitymanager", Status: http.StatusNotModified, Count: 1, Fields: tag})
}

// shared reports whether a request was answered by another's fetch.
func shared(spans []traces.Span) bool {
	return slices.ContainsFunc(spans, func(s traces.Span) bool { return s.Text("iqgw.cache.result") == "coalesced" })
}

// coalesced has two requests ask for the same at once; the first leaves before
// there is an answer, or stays.
func coalesced(leaves bool) func(*testing.T, *subject) {
	return func(t *testing.T, s *subject) {
		t.Helper()
		target := items + "?" + rig.NewKey()[:8]
		h := s.gate.hold(target[len("/catalogs"):])
		defer h.release()
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		var both sync.WaitGroup
		both.Go(func() { s.try(ctx, ask{target: target}) })
		<-h.arrived
		both.Go(func() { s.try(t.Context(), ask{target: target}) })
		s.gauge(t, 2, "http_server_active_requests")
		rig.Pass(t.Context(), 50*time.Millisecond) // it gets from its beginning to the cache
		if leaves {
			leave()
			s.gauge(t, 1, "http_server_active_requests")
		}
		h.release()
		both.Wait()
	}
}

func callerScenarios() []scenario {
	return []scenario{
		{name: "unauthenticated", act: asks(ask{target: customers, header: map[string]string{"X-Api-Key": "wrong"}}, http.StatusUnauthorized), traces: 1},
		{name: "unknown_service", act: asks(ask{target: "/nothing/v1/of/this"}, http.StatusNotFound), traces: 1},
		{name: "denied", act: asks(ask{target: "/accounts/v1/Users"}, http.StatusForbidden), traces: 1},
		{name: "fields_dropped", act: asks(ask{target: customers, header: map[string]string{"X-Odd": "1", "Referer": "http://elsewhere.test/"}}, http.StatusOK), traces: 1},
		{name: "not_found", act: asks(ask{target: "/crm/v1/Companies(14146)/Nothing"}, http.StatusNotFound), traces: 1},
		{name: "malformed", act: asks(ask{target: "/crm/v1/a%5cb"}, http.StatusBadRequest), traces: 1},
	}
}
