package tokencache_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"iqgateway/internal/exchange"
)

// waitOf is what a replica notes of a token that an exchange asks for until ctx ends.
func (r *replica) waitOf(ctx context.Context) exchange.Wait {
	ex := &exchange.Exchange{Credential: "retail", Trace: exchange.NewTrace(), Target: &exchange.Target{
		Environment: "production", Service: "crm", Authentication: "bearer",
	}}
	req := httptest.NewRequestWithContext(exchange.With(ctx, ex), http.MethodGet, "https://crm.example/v1/x", nil)
	if resp, err := r.stage.RoundTrip(req); err == nil {
		_ = resp.Body.Close()
	}
	return ex.Waits[0]
}

// TestATokenOfAnotherReplicaHasNoLink: its fetch is in no trace of ours.
func TestATokenOfAnotherReplicaHasNoLink(t *testing.T) {
	inFleet(t, &accounts{}, nil, func(t *testing.T, _ *fleet, r [3]*replica) {
		for i, own := range []bool{true, false} {
			if w := r[i].waitOf(t.Context()); w.Result != exchange.WaitWaited || w.Generation != 1 || w.Link.IsZero() == own {
				t.Errorf("replica %d: %+v", i, w)
			}
		}
		if n := r[1].hooks.of("adopted"); n != 1 {
			t.Errorf("%d adopted", n)
		}
	})
}

// TestAFailureOfAnotherReplicaHasNoLink, nor has what is left while another one
// fetches.
func TestAFailureOfAnotherReplicaHasNoLink(t *testing.T) {
	inFleet(t, &accounts{status: http.StatusServiceUnavailable}, nil, func(t *testing.T, _ *fleet, r [3]*replica) {
		for i, own := range []bool{true, false} {
			if w := r[i].waitOf(t.Context()); !w.Failed || w.Link.IsZero() == own {
				t.Errorf("replica %d: %+v", i, w)
			}
		}
	})
	inFleet(t, &accounts{delay: 4 * time.Second}, nil, func(t *testing.T, _ *fleet, r [3]*replica) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		fetches := make(chan exchange.Wait, 1)
		go func() { fetches <- r[0].waitOf(t.Context()) }()
		pass(time.Second)
		if w := r[1].waitOf(ctx); !w.Failed || !w.Link.IsZero() {
			t.Errorf("left: %+v", w)
		}
		if w := <-fetches; w.Failed || w.Link.IsZero() {
			t.Errorf("fetched: %+v", w)
		}
	})
}
