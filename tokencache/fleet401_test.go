package tokencache_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"iqgateway/internal/exchange"
)

// A revoked token: one of three replicas replaces it, the others adopt what
// it got, whoever meets the 401 when.
func TestRevokedTokenIsReplacedOnce(t *testing.T) {
	endpoint := &accounts{delay: time.Second}
	inFleet(t, endpoint, nil, func(t *testing.T, _ *fleet, r [3]*replica) {
		herd(t, 10, r[:]...)
		endpoint.ends("Bearer t1")
		used, longest := herd(t, 100, r[:]...)
		if used["t2"] != 300 || endpoint.count() != 2 || longest > 1100*time.Millisecond {
			t.Errorf("tokens %v after %d calls and %s", used, endpoint.count(), longest)
		}
		if got := r[2].status(); got.ReplacedAt.IsZero() {
			t.Errorf("status %+v", got)
		}
		// Half a minute must pass before the next, wherever it is asked for.
		endpoint.ends("Bearer t2")
		for _, one := range r {
			one.wantProblem(t, exchange.UpstreamCredentialRejected)
		}
		pass(28 * time.Second)
		r[1].wantProblem(t, exchange.UpstreamCredentialRejected)
		pass(2 * time.Second)
		r[1].wantToken(t, "t3")
		r[0].wantToken(t, "t3")
		if endpoint.count() != 3 {
			t.Errorf("%d calls", endpoint.count())
		}
	})
}

// What one replica has seen accepted, another may replace; what nobody has
// seen accepted, nobody replaces.
func TestAcceptedCountsForTheFleet(t *testing.T) {
	endpoint := &accounts{}
	inFleet(t, endpoint, nil, func(t *testing.T, _ *fleet, r [3]*replica) {
		r[0].wantToken(t, "t1")
		pass(time.Second)
		if r[0].store.Calls("accepted") != 1 {
			t.Errorf("told %d times", r[0].store.Calls("accepted"))
		}
		endpoint.ends("Bearer t1")
		r[1].wantToken(t, "t2")
		for range 100 {
			r[1].wantToken(t, "t2")
		}
		pass(time.Second)
		if r[1].store.Calls("accepted") != 1 {
			t.Errorf("told %d times", r[1].store.Calls("accepted"))
		}
	})
}

// deny is an API that accepts no token at all.
func deny(req *http.Request) (*http.Response, error) {
	exchange.AuthorizerFrom(req.Context()).Authorize(http.Header{})
	return answer(req, http.StatusUnauthorized, "invalid token"), nil
}

// An endpoint that says 401 to everything, for an hour, asked by all: no
// token is burnt, and the store is not asked for each 401.
func TestAlways401(t *testing.T) {
	endpoint := &accounts{}
	inFleet(t, endpoint, nil, func(t *testing.T, _ *fleet, r [3]*replica) {
		endpoint.good = nil
		for _, one := range r {
			one.stage = one.set.Stage(stageOptions())(tripper(deny))
		}
		for range 3600 {
			for _, one := range r {
				p := one.wantProblem(t, exchange.UpstreamCredentialRejected)
				if !strings.Contains(p.Detail, "gateway token invalidate retail") {
					t.Fatal(p.Detail)
				}
			}
			pass(time.Second)
		}
		if endpoint.count() != 1 {
			t.Errorf("%d calls", endpoint.count())
		}
		if claims := r[0].store.Calls("claim"); claims > 3700 {
			t.Errorf("%d claims in an hour", claims)
		}
	})
}

// The same while another API accepts the tokens: one login in 30 s, for all.
func TestAlways401Elsewhere(t *testing.T) {
	endpoint := &accounts{}
	inFleet(t, endpoint, nil, func(t *testing.T, _ *fleet, r [3]*replica) {
		for range 600 {
			for _, one := range r {
				if _, err := one.send(t.Context()); err != nil {
					t.Fatal(err)
				}
				good := one.stage
				one.stage = one.set.Stage(stageOptions())(tripper(deny))
				one.wantProblem(t, exchange.UpstreamCredentialRejected)
				one.stage = good
			}
			pass(time.Second)
		}
		if calls := endpoint.count(); calls < 15 || calls > 21 {
			t.Errorf("%d calls in ten minutes", calls)
		}
	})
}

// With the refresh grant one replica renews and ends the others' token. Their
// 401s lead them to the new one.
func TestRefreshGrantHasOneOwner(t *testing.T) {
	endpoint := &accounts{delay: 2 * time.Second, revoke: true}
	inFleet(t, endpoint, withRefreshGrant, func(t *testing.T, _ *fleet, r [3]*replica) {
		herd(t, 5, r[:]...)
		pass(11*time.Hour + 51*time.Minute)
		for range 4 { // the renewal is on its way, the old token already dead
			used, longest := herd(t, 5, r[:]...)
			if len(used) > 2 || longest > 2200*time.Millisecond {
				t.Errorf("tokens %v, longest wait %s", used, longest)
			}
			pass(500 * time.Millisecond)
		}
		used, _ := herd(t, 5, r[:]...)
		if used["t2"] != 15 || endpoint.count() != 2 || endpoint.calls[1].Get("refresh_token") != "r1" {
			t.Errorf("tokens %v after %d calls", used, endpoint.count())
		}
	})
}

// Without any request, the others have the new token within a second.
func TestRefreshGrantIsFollowed(t *testing.T) {
	endpoint := &accounts{revoke: true}
	inFleet(t, endpoint, withRefreshGrant, func(t *testing.T, f *fleet, r [3]*replica) {
		herd(t, 1, r[:]...)
		pass(11*time.Hour + 51*time.Minute)
		stop := runAll(t, r[:]...)
		synctest.Wait() // a caller that finds the lock taken starts no renewal
		r[0].wantToken(t, "t1")
		pass(1100 * time.Millisecond)
		for _, one := range r {
			if got := one.status(); time.Since(got.Issued) > 2*time.Second || got.Holder != "gw-0" {
				t.Errorf("%s: %+v", one.name, got)
			}
		}
		stop()
		// A newcomer exchanges the refresh token of the others.
		pass(11*time.Hour + 51*time.Minute)
		late := f.start(t, "gw-9")
		defer late.cache.Close()
		late.wantToken(t, "t2") // taken over
		synctest.Wait()
		late.wantToken(t, "t2") // due for renewal
		pass(time.Second)
		if endpoint.count() != 3 || endpoint.calls[2].Get("refresh_token") != "r2" {
			t.Errorf("%d calls, the last %v", endpoint.count(), endpoint.calls[2])
		}
	})
}
