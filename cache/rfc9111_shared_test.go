package cache_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"

	"iqgateway/cache"
)

// TestRFC9111_4_CollapsedOnlyWhereShared: those that wait for one answer get it
// only if it may be given to all; what is meant for one is given to one.
func TestRFC9111_4_CollapsedOnlyWhereShared(t *testing.T) {
	const callers = 30
	for _, row := range []struct {
		directives string
		policy     int // different answers
		rfc9111    int
	}{
		{"public, max-age=60", 1, 1},
		{"private, max-age=60", 1, callers},
		{"max-age=60", 1, callers}, // the gateway's credential went with it
		{"public, no-store", callers, callers},
		{"public, max-age=0", 1, callers}, // nobody could use it again
	} {
		t.Run(row.directives, func(t *testing.T) {
			bothModes(t, func(t *testing.T, mode cache.Mode) {
				var n, entered atomic.Int64
				g := newGate(func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Cache-Control", row.directives)
					fmt.Fprintf(w, "answer %d", n.Add(1))
				})
				s := newStack(t, stackOptions{service: cache.Service{Mode: mode}, origin: g.ServeHTTP, stage: countRequests(&entered)})
				wait := s.crowd(callers, "/v1/a")
				s.nodes[0].waiting(t, callers, &entered)
				close(g.open)
				different := map[string]bool{}
				for _, a := range wait() {
					if a.err != nil || a.status != http.StatusOK {
						t.Fatalf("got %+v", a)
					}
					different[a.body] = true
				}
				want := map[cache.Mode]int{cache.ModePolicy: row.policy, cache.ModeRFC9111: row.rfc9111}[mode]
				if len(different) != want || s.asked.Load() != int64(want) {
					t.Errorf("%d answers to %d callers by %d requests, want %d", len(different), callers, s.asked.Load(), want)
				}
			})
		})
	}
}
