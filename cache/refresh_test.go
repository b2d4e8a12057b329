package cache_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"iqgateway/cache"
	"iqgateway/internal/exchange"
)

// TestRefreshesAreBounded: what found no place in the background is refreshed by
// a later hit.
func TestRefreshesAreBounded(t *testing.T) {
	rule := everything()
	rule.StaleWhileRevalidate = time.Hour
	var held atomic.Bool
	open := make(chan struct{})
	s := newStack(t, stackOptions{rule: rule, origin: func(_ http.ResponseWriter, _ *http.Request) {
		if held.Load() {
			<-open
		}
	}})
	const keys = cache.MaxRefreshes + 1
	hitAll := func() {
		for i := range keys {
			s.get(fmt.Sprint("/v1/", i))
		}
	}
	hitAll()
	s.pass(2 * time.Minute)
	held.Store(true)
	hitAll()
	eventually(t, "the places are taken", func() bool { return s.asked.Load() == keys+cache.MaxRefreshes })
	hitAll()
	s.wantAsked(keys + cache.MaxRefreshes)
	held.Store(false)
	close(open)
	eventually(t, "the refreshes", func() bool { return !s.nodes[0].cache.Refreshing() })
	for n := int64(1); n <= 2; n++ {
		hitAll()
		eventually(t, "the last one", func() bool { return !s.nodes[0].cache.Refreshing() })
		s.wantAsked(n*keys + keys)
		s.pass(2 * time.Minute)
	}
}

// TestARefreshIsNoAnswer: what stands in for an answer that failed is no refresh.
func TestARefreshIsNoAnswer(t *testing.T) {
	rule := everything()
	rule.StaleWhileRevalidate, rule.StaleIfError = time.Hour, time.Hour
	refreshed := make(chan error, 1)
	var sick atomic.Bool
	s := newStack(t, stackOptions{
		rule: rule, origin: counting(),
		options: func(int) cache.Options {
			return cache.Options{Hooks: cache.Hooks{Refreshed: func(i cache.WorkInfo) { refreshed <- i.Err }}}
		},
		wrap: func(next http.RoundTripper) http.RoundTripper {
			return tripper(func(r *http.Request) (*http.Response, error) {
				if sick.Load() {
					return nil, exchange.Refuse(exchange.UpstreamUnreachable, "x")
				}
				return next.RoundTrip(r)
			})
		},
	})
	s.get("/v1/a").want(t, 200, "answer 1", "fwd=")
	s.pass(2 * time.Minute)
	sick.Store(true)
	s.get("/v1/a").want(t, 200, "answer 1", "hit; ttl=-")
	if err := <-refreshed; err == nil {
		t.Error("it counts as a refresh")
	}
}

// TestRFC5861_3_ARefreshIsForAll, whatever the caller forbids whose request
// begins it.
func TestRFC5861_3_ARefreshIsForAll(t *testing.T) {
	sc := newScript(t, cache.ModeRFC9111, stackOptions{})
	swr := &says{fields: []string{"Cache-Control: public, max-age=60, stale-while-revalidate=3600"}}
	sc.run(t, step{says: swr, body: "answer 1", cache: "fwd=uri-miss"})
	sc.pass(70 * time.Second)
	sc.run(t, step{with: []string{"Cache-Control: no-store"}, body: "answer 1", cache: "hit; ttl=-", asked: -1})
	eventually(t, "the refresh", func() bool { return sc.asked.Load() == 2 && !sc.nodes[0].cache.Refreshing() })
	sc.run(t, step{body: "answer 2", cache: "hit; ttl=60"})
}

// TestAnUpstreamThatHasRecovered is asked again as soon as it has answered.
func TestAnUpstreamThatHasRecovered(t *testing.T) {
	rule := everything()
	rule.TTL, rule.StaleIfError, rule.NoCache = time.Second, time.Hour, cache.NoCacheObey
	n := 0
	var sick atomic.Bool
	sc := newScript(t, cache.ModePolicy, stackOptions{rule: rule, origin: func(w http.ResponseWriter, _ *http.Request) {
		if sick.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		n++
		_, _ = fmt.Fprintf(w, "answer %d", n)
	}})
	sc.run(t, step{body: "answer 1", cache: "fwd=uri-miss"})
	sick.Store(true)
	sc.run(t, step{pass: 2 * time.Second, body: "answer 1", cache: "fwd=stale; fwd-status=502"})
	sick.Store(false)
	sc.run(t,
		step{body: "answer 1", cache: "hit; ttl=-"}, // it is let rest
		step{with: []string{"Cache-Control: no-cache"}, body: "answer 2", cache: "fwd=stale"},
		step{pass: 2 * time.Second, body: "answer 3", cache: "fwd=stale; fwd-status=200"},
	)
}
