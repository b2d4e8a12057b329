package observability_test

import (
	"net/http"
	"testing"

	"iqgateway/internal/exchange"
)

// A caller that fails without end displaces its own failures, not those of
// others, however much text its own have.
func TestNobodysFailuresDisplaceAnothers(t *testing.T) {
	fail := refusing()
	recent, h := remembered(func(w http.ResponseWriter, r *http.Request) {
		fail(w, r)
		if name := r.Header.Get("X-Caller"); name != "" {
			exchange.From(r.Context()).Caller = &exchange.Caller{Name: name}
		}
	})
	of := func(caller string) *http.Request {
		r := failing("")
		r.Header.Set("X-Caller", caller)
		return r
	}
	quiet := sent(h, of("quiet"))
	for range 12_000 {
		sent(h, of("noisy"))
	}
	late := sent(h, of("noisy"))
	for range 5000 {
		sent(h, plainGet())
	}
	for id, of := range map[string]string{quiet: "the quiet caller", late: "the noisy one"} {
		if _, found := recent.Find(id); !found {
			t.Errorf("what failed of %s is forgotten", of)
		}
	}
}

// What asks the gateway about itself says so; another request without a service
// is remembered.
func TestSelfServiceIsNotRemembered(t *testing.T) {
	for _, self := range []bool{false, true} {
		recent, h := remembered(func(w http.ResponseWriter, r *http.Request) {
			ex := exchange.From(r.Context())
			ex.SetTarget(exchange.Target{Route: "/v1/oauth2/token"})
			ex.Self = self
			w.WriteHeader(http.StatusBadRequest)
		})
		if _, found := recent.Find(sent(h, plainGet())); found == self {
			t.Errorf("self-service %v: remembered %v", self, found)
		}
	}
}
