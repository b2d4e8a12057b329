package cache_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"iqgateway/cache"
	"iqgateway/cache/storetest"
)

// TestNobodyWaitsForAClaimInVain: who may not have what a fetch under way will
// bring does not wait in the fleet either until it has brought it.
func TestNobodyWaitsForAClaimInVain(t *testing.T) {
	for _, tt := range []struct {
		name   string
		begins bool // the answer under way has begun
		first  string
		then   func(s *stack)
		fields []string
		node   int
	}{
		{"after a write", true, "", func(s *stack) { s.ask(http.MethodPut, "/v1/a") }, nil, 0},
		{"more urgent", false, "background", func(*stack) {}, nil, 0},
		{"no-cache", true, "", func(*stack) {}, []string{"Cache-Control: no-cache"}, 0},
		{"no-cache elsewhere", true, "", func(*stack) {}, []string{"Cache-Control: no-cache"}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rule := everything()
			rule.NoCache = cache.NoCacheObey
			var reads atomic.Int64
			come, open := make(chan struct{}), make(chan struct{})
			s := newStack(t, stackOptions{
				rule: rule, nodes: 2, options: fleetOf(storetest.NewLog(), storetest.NewTier()),
				origin: func(w http.ResponseWriter, r *http.Request) {
					if r.Method == http.MethodPut {
						return
					}
					i := reads.Add(1)
					if i == 1 {
						if tt.begins {
							_ = http.NewResponseController(w).Flush()
						}
						close(come)
						<-open
					}
					_, _ = fmt.Fprintf(w, "answer %d", i)
				},
			})
			s.heard()
			var first sync.WaitGroup
			first.Go(func() { s.get("/v1/a", "X-Class: "+tt.first) })
			defer first.Wait()
			defer close(open)
			<-come
			if tt.begins {
				eventually(t, "the answer has begun", func() bool { return s.nodes[0].cache.Answered() == 1 })
			}
			tt.then(s)
			ctx, leave := context.WithTimeout(t.Context(), 2*time.Second)
			defer leave()
			s.send(ctx, tt.node, http.MethodGet, "/v1/a", "", tt.fields...).want(t, 200, "answer 2", "fwd=")
		})
	}
}
