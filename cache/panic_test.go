package cache_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"iqgateway/cache"
	"iqgateway/internal/exchange"
)

// TestAPanicInARefreshIsTold: nobody is there whose request would show it.
func TestAPanicInARefreshIsTold(t *testing.T) {
	for _, tt := range []struct {
		name  string
		panic any
		told  int64
	}{
		{"a fault", "x", 1},
		{"an answer that was cut", http.ErrAbortHandler, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rule := everything()
			rule.StaleWhileRevalidate = time.Minute
			var told atomic.Int64
			refreshed := make(chan error, 1)
			s := newStack(t, stackOptions{
				rule: rule, origin: counting(),
				options: func(int) cache.Options {
					return cache.Options{Hooks: cache.Hooks{
						Panicked:  func(cache.ServiceName, any, []byte) { told.Add(1) },
						Refreshed: func(i cache.WorkInfo) { refreshed <- i.Err },
					}}
				},
				between: func(r *http.Request) {
					if exchange.From(r.Context()).Class == "background" {
						panic(tt.panic)
					}
				},
			})
			s.get("/v1/a").want(t, 200, "answer 1", "fwd=")
			s.pass(time.Minute + time.Second)
			s.get("/v1/a").want(t, 200, "answer 1", "hit")
			if err := <-refreshed; err == nil {
				t.Error("it counts as a refresh")
			}
			if n := told.Load(); n != tt.told {
				t.Errorf("told of %d panics, want %d", n, tt.told)
			}
		})
	}
}

// TestAWriteThatPanicsDropsToo: it may have been executed.
func TestAWriteThatPanicsDropsToo(t *testing.T) {
	s := newStack(t, stackOptions{origin: counting(), wrap: func(next http.RoundTripper) http.RoundTripper {
		return tripper(func(r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodPut {
				panic(http.ErrAbortHandler)
			}
			return next.RoundTrip(r)
		})
	}})
	s.get("/v1/a").want(t, 200, "answer 1", "fwd=")
	s.get("/v1/a").want(t, 200, "answer 1", "hit")
	if a := s.ask(http.MethodPut, "/v1/a"); a.err == nil {
		t.Fatalf("got %+v", a)
	}
	s.get("/v1/a").want(t, 200, "answer 2", "fwd=")
}
