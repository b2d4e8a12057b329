package tokencache_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"iqgateway/internal/exchange"
	"iqgateway/tokencache"
	"iqgateway/tokencache/storetest"
)

func stageOptions() tokencache.StageOptions { return tokencache.StageOptions{} }

func withRefreshGrant(_ *tokencache.Options, c *tokencache.Credential) {
	c.Grant = tokencache.GrantRefreshToken
}

// runAll runs the caches until the returned func is called.
func runAll(t *testing.T, replicas ...*replica) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	for _, r := range replicas {
		go r.cache.Run(ctx)
	}
	return func() { cancel(); synctest.Wait() }
}

// wantBound fails if there were four attempts within an hour.
func (a *accounts) wantBound(t *testing.T, calls int) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, at := range a.times {
		if i >= 3 && at.Sub(a.times[i-3]) < time.Hour {
			t.Errorf("four attempts within %s", at.Sub(a.times[i-3]))
		}
	}
	if len(a.times) != calls {
		t.Errorf("%d attempts, want %d", len(a.times), calls)
	}
}

// A wrong password, three replicas, callers all the time: six attempts in all,
// at most three an hour; then an operator speaks to one of them, and the
// others follow.
func TestWrongPasswordInAFleet(t *testing.T) {
	endpoint := &accounts{status: http.StatusBadRequest}
	inFleet(t, endpoint, nil, func(t *testing.T, _ *fleet, r [3]*replica) {
		stop := runAll(t, r[:]...)
		defer stop()
		for range 5 * 360 {
			for _, one := range r {
				one.wantProblem(t, exchange.TokenUnavailable)
			}
			pass(10 * time.Second)
		}
		endpoint.wantBound(t, 6)
		for _, one := range r {
			if got := one.status(); got.State != tokencache.StateStopped || !got.NextAttempt.IsZero() || got.LastError == "" {
				t.Errorf("%s: %+v", one.name, got)
			}
			p := one.wantProblem(t, exchange.TokenUnavailable)
			if !strings.Contains(p.Detail, "gateway token retry retail") {
				t.Error(p.Detail)
			}
		}
		if !r[1].cache.Retry(t.Context(), "retail") {
			t.Fatal("unknown credential")
		}
		pass(6 * time.Second)
		for _, one := range r {
			one.wantProblem(t, exchange.TokenUnavailable)
		}
		if endpoint.count() != 7 {
			t.Errorf("%d attempts after Retry", endpoint.count()-6)
		}
		endpoint.answers(0)
		r[2].cache.Retry(t.Context(), "retail")
		pass(6 * time.Second)
		used, _ := herd(t, 1, r[:]...)
		if len(used) != 1 || endpoint.count() != 8 || r[0].status().State != tokencache.StateValid {
			t.Errorf("tokens %v after %d calls, %+v", used, endpoint.count(), r[0].status())
		}
	})
}

// The order to try again reaches all replicas at once: it is one attempt, not
// one of each.
func TestRetryOnAllReplicas(t *testing.T) {
	endpoint := &accounts{status: http.StatusBadRequest, delay: 10 * time.Millisecond}
	inFleet(t, endpoint, nil, func(t *testing.T, _ *fleet, r [3]*replica) {
		r[0].wantProblem(t, exchange.TokenUnavailable)
		pass(time.Second)
		for _, one := range r {
			one.cache.Retry(t.Context(), "retail")
			one.wantProblem(t, exchange.TokenUnavailable)
			pass(100 * time.Millisecond)
		}
		if endpoint.count() != 2 {
			t.Errorf("%d attempts", endpoint.count())
		}
	})
}

// Gateways that are restarted all the time must not add up to a locked
// account: what was refused is in the store, else in a file.
func TestRefusalsSurviveRestarts(t *testing.T) {
	for name, away := range map[string]bool{"in the store": false, "on file": true} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				endpoint := &accounts{status: http.StatusBadRequest}
				f := &fleet{memory: storetest.NewMemory(), endpoint: endpoint}
				f.change = func(o *tokencache.Options, _ *tokencache.Credential) {
					if away {
						o.Dir = dir
						o.Store = nil
					}
				}
				for range 300 {
					r := f.start(t, "gw")
					r.wantProblem(t, exchange.TokenUnavailable)
					r.cache.Close()
					pass(time.Minute)
				}
				endpoint.wantBound(t, 6)
				r := f.start(t, "gw")
				defer r.cache.Close()
				r.cache.Retry(t.Context(), "retail")
				r.wantProblem(t, exchange.TokenUnavailable)
				endpoint.answers(0)
				r.cache.Retry(t.Context(), "retail")
				r.wantToken(t, "t8")
			})
		})
	}
}

// The store dies with the refusals in it: the file has them, too.
func TestRefusalsAreOnFileBesideTheStore(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		endpoint := &accounts{status: http.StatusBadRequest}
		f := &fleet{memory: storetest.NewMemory(), endpoint: endpoint}
		f.change = func(o *tokencache.Options, _ *tokencache.Credential) { o.Dir = dir }
		first := f.start(t, "gw")
		for range 20 {
			first.wantProblem(t, exchange.TokenUnavailable)
			pass(time.Minute)
		}
		first.cache.Close()
		f.memory.Flush()
		second := f.start(t, "gw")
		defer second.cache.Close()
		second.wantProblem(t, exchange.TokenUnavailable)
		endpoint.wantBound(t, 3)
	})
}
