package tokencache_test

import (
	"net/http"
	"testing"
	"time"

	"iqgateway/internal/exchange"
	"iqgateway/tokencache"
)

// An invalidated token is gone for all; requests under way end with it.
func TestInvalidate(t *testing.T) {
	endpoint := &accounts{}
	inFleet(t, endpoint, nil, func(t *testing.T, f *fleet, r [3]*replica) {
		herd(t, 1, r[:]...)
		under := make(chan string)
		go func() {
			slow := r[0].set.Stage(stageOptions())(tripper(func(req *http.Request) (*http.Response, error) {
				<-time.After(time.Second)
				return endpoint.api(req)
			}))
			one := &replica{stage: slow}
			got, err := one.send(t.Context())
			if err != nil {
				t.Error(err)
			}
			under <- got
		}()
		pass(time.Millisecond)
		for _, one := range r { // as the order reaches them
			if one.cache.Invalidate(t.Context(), "unknown") || !one.cache.Invalidate(t.Context(), "retail") {
				t.Error("Invalidate knows another credential than ours")
			}
			one.wantToken(t, "t2")
			pass(100 * time.Millisecond)
		}
		if got := <-under; got != "t1" && got != "t2" {
			t.Errorf("the request under way ended with %q", got)
		}
		late := f.start(t, "gw-9")
		defer late.cache.Close()
		late.wantToken(t, "t2")
		if endpoint.count() != 2 {
			t.Errorf("%d calls", endpoint.count())
		}
	})
}

// Without the store, an invalidated token does not come back from it.
func TestInvalidateWhileTheStoreIsAway(t *testing.T) {
	endpoint := &accounts{}
	inFleet(t, endpoint, nil, func(t *testing.T, _ *fleet, r [3]*replica) {
		r[0].wantToken(t, "t1")
		pass(time.Second)
		r[0].store.SetAway(true)
		r[0].cache.Invalidate(t.Context(), "production/retail")
		if r[0].hooks.of("store failed: forget") != 1 {
			t.Error("nobody was told")
		}
		if got := r[0].status(); got.State != tokencache.StateNone || got.Generation != 0 {
			t.Errorf("%+v", got)
		}
		r[0].store.SetAway(false)
		r[0].wantToken(t, "t2")
		pass(time.Second)
		r[1].wantToken(t, "t2")
	})
}

// A new account behind the same name: the old token is refused everywhere and
// was accepted by nobody; invalidating it is the way out.
func TestInvalidateEndsNeverAccepted(t *testing.T) {
	endpoint := &accounts{}
	inFleet(t, endpoint, nil, func(t *testing.T, _ *fleet, r [3]*replica) {
		locked := true
		r[0].stage = r[0].set.Stage(stageOptions())(tripper(func(req *http.Request) (*http.Response, error) {
			if locked {
				return deny(req)
			}
			return endpoint.api(req)
		}))
		r[0].wantProblem(t, exchange.UpstreamCredentialRejected)
		locked = false
		endpoint.ends("Bearer t1")
		r[0].wantProblem(t, exchange.UpstreamCredentialRejected)
		r[0].cache.Invalidate(t.Context(), "retail")
		r[0].wantToken(t, "t2")
	})
}
