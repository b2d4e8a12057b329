package tokencache

import (
	"net/http"
	"strings"
	"testing"

	"iqgateway/internal/exchange"
)

// broughtToken is what a caller brought itself.
type broughtToken struct{}

func (broughtToken) Authorize(h http.Header) { h.Set("Authorization", "Bearer brought") }

// A token that the caller brought is passed on: none is fetched, and whatever
// the answer is, it is the caller's.
func TestStagePassesABroughtTokenOn(t *testing.T) {
	for _, status := range []int{http.StatusOK, http.StatusUnauthorized, http.StatusForbidden} {
		api, endpoint := &upstream{status: statuses(status)}, &idp{}
		staged(t, Options{}, api, endpoint, func(t *testing.T, send sender, _ *Set) {
			resp, ex, err := send(strings.NewReader("body"), func(ex *exchange.Exchange) {
				ex.Credential, ex.Own = "passthrough", broughtToken{}
			})
			if err != nil || resp.StatusCode != status || ex.Replays != 0 {
				t.Fatalf("%d: %v, %v, %d replays", status, resp, err, ex.Replays)
			}
			if len(api.fields) != 1 || api.fields[0] != "Bearer brought" || api.bodies[0] != "body" || endpoint.count() != 0 {
				t.Errorf("%d: sent %q with bodies %q after %d fetches", status, api.fields, api.bodies, endpoint.count())
			}
		})
	}
}

// Without one there is no token to be had by that name.
func TestStageHasNoTokenOfThatName(t *testing.T) {
	api := &upstream{status: statuses(200)}
	staged(t, Options{}, api, &idp{}, func(t *testing.T, send sender, _ *Set) {
		_, _, err := send(nil, func(ex *exchange.Exchange) { ex.Credential = "passthrough" })
		wantProblem(t, err, exchange.TokenUnavailable)
		if len(api.fields) != 0 {
			t.Errorf("sent with %q", api.fields)
		}
	})
}
