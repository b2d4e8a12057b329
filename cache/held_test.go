package cache_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"

	"iqgateway/cache"
)

// TestOpenBodiesTakeTheirPlaces: of those that wait for an answer that cannot be
// shared only a few are upstream at once, until their bodies have ended.
func TestOpenBodiesTakeTheirPlaces(t *testing.T) {
	const callers = 2 * cache.AlonePerKey
	var entered, begun, open, most atomic.Int64
	first, end := make(chan struct{}), make(chan struct{}, callers)
	s := newStack(t, stackOptions{
		stage: countRequests(&entered),
		origin: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Cache-Control", "no-store")
			if begun.Add(1) == 1 {
				<-first
				return
			}
			if n := open.Add(1); n > most.Load() {
				most.Store(n)
			}
			defer open.Add(-1)
			_ = http.NewResponseController(w).Flush()
			<-end
		},
	})
	wait := s.crowd(1+callers, "/v1/a")
	s.nodes[0].waiting(t, 1+callers, &entered)
	close(first)
	c := s.nodes[0].cache
	eventually(t, "the places are taken, and waited for", func() bool {
		return open.Load() == cache.AlonePerKey && c.Crowding() == callers
	})
	for n := int64(2 + cache.AlonePerKey); n <= 1+callers; n++ {
		end <- struct{}{}
		eventually(t, fmt.Sprint("request ", n, " has its place"), func() bool { return begun.Load() == n })
	}
	close(end)
	for _, a := range wait() {
		a.want(t, 200, "", "fwd=uri-miss; fwd-status=200")
	}
	if n := most.Load(); n != cache.AlonePerKey {
		t.Errorf("%d bodies were open at once, want %d", n, cache.AlonePerKey)
	}
	eventually(t, "all places are given back", func() bool { return c.Crowds() == 0 })
}
