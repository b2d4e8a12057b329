package tokencache

import (
	"net/http"
	"strings"
	"testing"

	"iqgateway/internal/exchange"
)

// A request that has made all attempts that it may is not sent again with a new
// token; the next one has it.
func TestReplayIsOneOfTheAttempts(t *testing.T) {
	api, endpoint := &upstream{status: statuses(401, 200)}, &idp{}
	staged(t, Options{}, api, endpoint, func(t *testing.T, send sender, s *Set) {
		acceptCurrent(t, s)
		_, ex, err := send(strings.NewReader("b"), func(ex *exchange.Exchange) { ex.Attempts, ex.MaxAttempts = 3, 3 })
		p := wantProblem(t, err, exchange.UpstreamCredentialRejected)
		if len(api.fields) != 1 || ex.Replays != 0 || !strings.Contains(p.Detail, "retry.max_attempts") {
			t.Errorf("%d attempts, %d replays: %s", len(api.fields), ex.Replays, p.Detail)
		}
		resp, _, err := send(nil, nil)
		if err != nil || resp.StatusCode != http.StatusOK || api.fields[1] != bearer("2") {
			t.Errorf("%v, %v with %q", resp, err, api.fields)
		}
	})
}
