package cache_test

import (
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"iqgateway/cache"
	"iqgateway/cache/storetest"
)

// slowFirst is an origin whose first answer begins at once and ends late; the
// others are there at once.
func slowFirst(n *atomic.Int64, open <-chan struct{}) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		i := n.Add(1)
		_, _ = fmt.Fprintf(w, "answer %d", i)
		if i == 1 {
			_ = http.NewResponseController(w).Flush()
			<-open
		}
	}
}

// TestAnOlderAnswerDoesNotReplaceANewerOne: who was asked later and answered
// sooner knows better than a body that took its time, here and in the tier.
func TestAnOlderAnswerDoesNotReplaceANewerOne(t *testing.T) {
	rule := everything()
	rule.NoCache = cache.NoCacheObey
	var n atomic.Int64
	open := make(chan struct{})
	tier := storetest.NewTier()
	s := newStack(t, stackOptions{
		rule: rule, origin: slowFirst(&n, open), nodes: 2, options: fleetOf(storetest.NewLog(), tier),
	})
	eventually(t, "both hear of the log", func() bool {
		return !s.nodes[0].cache.Heard().IsZero() && !s.nodes[1].cache.Heard().IsZero()
	})
	resp, err := s.client.Get(s.nodes[0].server.URL + "/v1/a")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	s.get("/v1/a", "Cache-Control: no-cache").want(t, 200, "answer 2", "fwd=")
	close(open)
	if b, err := io.ReadAll(resp.Body); err != nil || string(b) != "answer 1" {
		t.Fatalf("got %q, %v", b, err)
	}
	// looked for and claimed by the older one, claimed in vain and put by the newer one, given back
	eventually(t, "both are done with the tier", func() bool { return s.nodes[0].cache.Flights() == 0 && tier.Calls() == 5 })
	s.get("/v1/a").want(t, 200, "answer 2", "hit")
	s.askNode(1, http.MethodGet, "/v1/a", "").want(t, 200, "answer 2", "hit")
	s.wantAsked(2)
}

// TestRFC9111_4_CollapsedOnlyIfReusable: what may be reused only after it was
// confirmed is given to nobody but the one who asked.
func TestRFC9111_4_CollapsedOnlyIfReusable(t *testing.T) {
	const callers = 20
	for directives, want := range map[string]int{
		"public, no-cache":                    callers,
		"public, max-age=0, must-revalidate":  callers,
		"s-maxage=0":                          callers,
		"public, max-age=60, must-revalidate": 1,
		"public, max-age=60":                  1,
	} {
		t.Run(directives, func(t *testing.T) {
			var n, entered atomic.Int64
			g := newGate(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Cache-Control", directives)
				w.Header().Set("Etag", `"1"`)
				_, _ = fmt.Fprintf(w, "answer %d", n.Add(1))
			})
			s := newStack(t, stackOptions{
				service: cache.Service{Mode: cache.ModeRFC9111}, origin: g.ServeHTTP, stage: countRequests(&entered),
			})
			wait := s.crowd(callers, "/v1/a")
			s.nodes[0].waiting(t, callers, &entered)
			close(g.open)
			different := map[string]bool{}
			for _, a := range wait() {
				different[a.body] = true
			}
			if len(different) != want {
				t.Errorf("%d answers to %d callers, want %d", len(different), callers, want)
			}
		})
	}
}

// TestAPanicGivesThePlaceBack: of those that ask alone after a flight that
// brought nothing.
func TestAPanicGivesThePlaceBack(t *testing.T) {
	var entered atomic.Int64
	var first sync.Once
	g := newGate(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	s := newStack(t, stackOptions{
		origin: g.ServeHTTP, stage: countRequests(&entered),
		options: func(int) cache.Options { // one that comes late leads a flight, whose panic is told
			return cache.Options{Hooks: cache.Hooks{Panicked: func(cache.ServiceName, any, []byte) {}}}
		},
		wrap: func(next http.RoundTripper) http.RoundTripper {
			return tripper(func(r *http.Request) (*http.Response, error) {
				asFirst := false
				first.Do(func() { asFirst = true })
				if asFirst {
					return next.RoundTrip(r)
				}
				panic(http.ErrAbortHandler)
			})
		},
	})
	wait := s.crowd(4, "/v1/a")
	s.nodes[0].waiting(t, 4, &entered)
	close(g.open)
	wait()
	if n := s.nodes[0].cache.Crowds(); n != 0 {
		t.Errorf("%d crowds are left behind", n)
	}
}
