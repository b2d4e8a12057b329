package auth

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"iqgateway/internal/clocktest"
	"iqgateway/internal/exchange"
)

// REL-38: the end of a key is an instant of the calendar, which people have
// written down: the wall clock decides, and a step back admits the key again.
func TestREL38KeysEndByTheWallClock(t *testing.T) {
	clock := clocktest.New()
	ends := clock.Now().Add(30 * time.Minute).In(time.FixedZone("summer", 2*60*60))
	refuse := func(http.ResponseWriter, *http.Request, error) {}
	stage := Authenticate(AuthenticateOptions{Now: clock.Now, Refuse: refuse, Callers: []Caller{{
		Name: "storefront", Keys: []Key{{ID: "k", Digest: DigestOf("key-a"), Expires: ends.Round(0)}},
	}}})
	admitted := func() bool {
		ex := &exchange.Exchange{}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Header.Set("X-Api-Key", "key-a")
		serve(stage, r, ex)
		return ex.Caller != nil
	}
	for _, step := range []struct {
		by   time.Duration
		want bool
	}{{0, true}, {time.Hour, false}, {-time.Hour, true}, {-time.Hour, true}, {12 * 365 * 24 * time.Hour, false}} {
		clock.Step(step.by)
		if got := admitted(); got != step.want {
			t.Errorf("at %v: admitted %t", clock.Now(), got)
		}
	}
}
