package cache_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"iqgateway/cache"
	"iqgateway/cache/storetest"
	"iqgateway/internal/exchange"
)

// TestOneFetchForTheFleet (REL-28): a thousand callers of three gateways when a
// hot key expires cost one request upstream.
func TestOneFetchForTheFleet(t *testing.T) {
	for _, tt := range []struct {
		name  string
		swr   time.Duration
		asked int64
	}{
		{"all wait for one", 0, 2},
		{"nobody waits", time.Hour, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rule := everything()
			rule.StaleWhileRevalidate = tt.swr
			slow := atomic.Bool{}
			var entered atomic.Int64
			s := newStack(t, stackOptions{
				rule: rule, nodes: 3, options: fleetOf(storetest.NewLog(), storetest.NewTier()),
				origin: func(w http.ResponseWriter, r *http.Request) {
					if slow.Load() {
						wait(r.Context(), 500*time.Millisecond)
					}
					_, _ = io.WriteString(w, "hot")
				},
				stage: countRequests(&entered),
			})
			s.heard()
			for i := range 3 {
				s.askNode(i, "GET", "/v1/hot", "").want(t, 200, "hot", "")
			}
			s.wantAsked(1)
			slow.Store(true)
			s.pass(time.Minute + time.Second)
			for _, a := range s.crowd(1000, "/v1/hot")() {
				if a.status != 200 || a.body != "hot" {
					t.Fatalf("got %+v", a)
				}
				if tt.swr > 0 && !strings.HasPrefix(a.cache, "hit") {
					t.Errorf("somebody waited: %s", a.cache)
				}
			}
			eventually(t, "the refresh", func() bool { return s.asked.Load() == tt.asked && s.flights() == 0 })
			s.wantAsked(tt.asked)
		})
	}
}

func (s *stack) flights() (n int) {
	for _, node := range s.nodes {
		n += node.cache.Flights()
	}
	return n
}

// wait waits, as an upstream that takes its time.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// TestTheTierServesOthers: what one replica has fetched, the others need not;
// also not what was stored by the one that has ended.
func TestTheTierServesOthers(t *testing.T) {
	tier := storetest.NewTier()
	s := newStack(t, stackOptions{origin: counting(), nodes: 3, options: fleetOf(storetest.NewLog(), tier)})
	s.heard()
	s.askNode(0, "GET", "/v1/a", "").want(t, 200, "answer 1", "fwd=uri-miss")
	eventually(t, "it is shared", func() bool { return s.askNode(1, "GET", "/v1/b", "").status == 200 && s.flights() == 0 })
	eventually(t, "both are in it", func() bool { return tier.Calls() == 6 }) // each looked for, claimed and put
	s.askNode(1, "GET", "/v1/a", "").want(t, 200, "answer 1", "hit")
	s.askNode(1, "GET", "/v1/a", "").want(t, 200, "answer 1", "hit")
	s.wantAsked(2)
	if n := tier.Calls(); n != 7 {
		t.Errorf("%d calls of the tier, want one more", n)
	}
}

// TestTheTierKnowsOfWrites: what another replica wrote is not read from the tier.
func TestTheTierKnowsOfWrites(t *testing.T) {
	v := &versions{}
	s := newStack(t, stackOptions{
		service: cache.Service{Writable: true}, origin: v.ServeHTTP, nodes: 2,
		options: fleetOf(storetest.NewLog(), storetest.NewTier()),
	})
	s.heard()
	for i := range 50 {
		path := fmt.Sprintf("/v1/x%d", i)
		s.askNode(0, "GET", path, "").want(t, 200, fmt.Sprintf("version %d", i), "")
		s.askNode(1, "PUT", path, "")
		s.askNode(1, "GET", path, "").want(t, 200, fmt.Sprintf("version %d", i+1), "fwd=")
	}
}

// TestASickTierCostsNothing: with a tier and a log that are away, full or slow,
// every request is answered as without them.
func TestASickTierCostsNothing(t *testing.T) {
	for _, tt := range []struct {
		name string
		sick func(*storetest.Log, *storetest.Tier)
	}{
		{"away", func(l *storetest.Log, t *storetest.Tier) { l.Away(true); t.Away(true) }},
		{"full", func(l *storetest.Log, t *storetest.Tier) { l.Full(true); t.Full(true) }},
		{"slow", func(l *storetest.Log, t *storetest.Tier) {
			l.Slow(40 * time.Millisecond)
			t.Slow(40 * time.Millisecond)
		}},
		{"log lost", func(l *storetest.Log, _ *storetest.Tier) { l.Lose() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			log, tier := storetest.NewLog(), storetest.NewTier()
			s := newStack(t, stackOptions{
				service: cache.Service{Writable: true}, origin: counting(), nodes: 2, options: fleetOf(log, tier),
			})
			s.heard()
			tt.sick(log, tier)
			for i := range 2 {
				path := fmt.Sprintf("/v1/%d", i)
				if a := s.askNode(i, "GET", path, ""); a.status != 200 {
					t.Fatalf("%+v", a)
				}
				if a := s.askNode(i, "PUT", path, ""); a.status != 200 {
					t.Fatalf("%+v", a)
				}
				if a := s.askNode(i, "GET", path, ""); a.status != 200 {
					t.Fatalf("%+v", a)
				}
			}
		})
	}
}

// TestPurge drops exactly what was named, on all replicas.
func TestPurge(t *testing.T) {
	for _, tt := range []struct {
		name  string
		event cache.Event
		drops []string
	}{
		{"a service", cache.Event{Kind: cache.DropService, Service: crm}, []string{"/v1/A(1)", "/v1/A(1)?x=1", "/v1/A(1)/B", "/v1/A"}},
		{"a path", cache.Event{Kind: cache.DropPath, Service: crm, Path: "/v1/a(1)"}, []string{"/v1/A(1)", "/v1/A(1)?x=1"}},
		{"a key", cache.Event{Kind: cache.DropKey, Service: crm, Path: "/v1/a(1)", Query: "x=1"}, []string{"/v1/A(1)?x=1"}},
		{"a pattern", cache.Event{Kind: cache.DropPattern, Service: crm, Path: "/v1/A({a})**"}, []string{"/v1/A(1)", "/v1/A(1)?x=1", "/v1/A(1)/B"}},
		{"a tag", cache.Event{Kind: cache.DropTag, Tag: "green"}, []string{"/v1/A(1)", "/v1/A(1)?x=1", "/v1/A(1)/B", "/v1/A"}},
		{"another tag", cache.Event{Kind: cache.DropTag, Tag: "blue"}, nil},
		{"another service", cache.Event{Kind: cache.DropService, Service: cache.ServiceName{Environment: "sim", Service: "order"}}, nil},
		{"everything", cache.Event{Kind: cache.DropAll}, []string{"/v1/A(1)", "/v1/A(1)?x=1", "/v1/A(1)/B", "/v1/A"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rule := everything()
			rule.Tags = []string{"green"}
			s := newStack(t, stackOptions{rule: rule, origin: counting(), nodes: 2, options: fleetOf(storetest.NewLog(), storetest.NewTier())})
			s.heard()
			paths := []string{"/v1/A(1)", "/v1/A(1)?x=1", "/v1/A(1)/B", "/v1/A"}
			before := map[string]string{}
			for _, p := range paths {
				before[p] = s.askNode(0, "GET", p, "").body
				s.askNode(1, "GET", p, "").want(t, 200, before[p], "hit")
			}
			if !s.nodes[0].cache.Purge(t.Context(), tt.event) {
				t.Error("the fleet was not told")
			}
			since := time.Now()
			eventually(t, "the other one hears", func() bool { return s.nodes[1].cache.Heard().After(since) })
			for i := range 2 {
				for _, p := range paths {
					gone := false
					for _, d := range tt.drops {
						gone = gone || d == p
					}
					if got := s.askNode(i, "GET", p, "").body != before[p]; got != gone {
						t.Errorf("node %d: %s is gone: %v, want %v", i, p, got, gone)
					}
				}
			}
		})
	}
}

// TestSuggestedRulesOnlyCount what would have hit.
func TestSuggestedRulesOnlyCount(t *testing.T) {
	rule := everything()
	rule.Suggest = true
	hits := atomic.Int64{}
	s := newStack(t, stackOptions{rule: rule, origin: counting(), options: func(int) cache.Options {
		return cache.Options{Hooks: cache.Hooks{Suggested: func(_ cache.ServiceName, hit bool) {
			if hit {
				hits.Add(1)
			}
		}}}
	}})
	for i := range 3 {
		s.get("/v1/a").want(t, 200, fmt.Sprintf("answer %d", i+1), "fwd=bypass; detail=suggest")
	}
	s.pass(2 * time.Minute)
	s.get("/v1/a")
	if hits.Load() != 2 {
		t.Errorf("%d would have hit, want 2", hits.Load())
	}
}

// TestReadingPosts are stored by what their body means.
func TestReadingPosts(t *testing.T) {
	var seen atomic.Pointer[string]
	s := newStack(t, stackOptions{origin: func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		text := r.Header.Get("Content-Type") + " " + string(body)
		seen.Store(&text)
		_, _ = w.Write(body)
	}})
	post := func(body string) got {
		return s.askNode(0, "POST", "/v1/Bulk", body, "X-Reads: yes", "Content-Type: application/json")
	}
	post(`{"ids":[1,2]}`).want(t, 200, `{"ids":[1,2]}`, "fwd=uri-miss")
	if got := *seen.Load(); got != `application/json {"ids":[1,2]}` {
		t.Errorf("the upstream got %q", got)
	}
	post(`{ "ids" : [1, 2] }`).want(t, 200, `{"ids":[1,2]}`, "hit")
	s.askNode(0, "POST", "/v1/Bulk", `{"ids":[1,2]}`, "X-Reads: yes", "Content-Type: application/json", `If-None-Match: "1"`).
		want(t, 200, `{"ids":[1,2]}`, "fwd=bypass; detail=condition")
	post(`{"ids":[2,1]}`).want(t, 200, `{"ids":[2,1]}`, "fwd=uri-miss")
	post(`not json`).want(t, 200, `not json`, "fwd=bypass; detail=body")
	large := `{"ids":"` + strings.Repeat("x", 2<<20) + `"}`
	post(large).want(t, 200, large, "fwd=bypass; detail=body")
	s.get("/v1/Bulk").want(t, 200, "", "fwd=uri-miss") // is another thing
	s.wantAsked(6)
	s.ask("POST", "/v1/Bulk")
	post(`{"ids":[1,2]}`).want(t, 200, `{"ids":[1,2]}`, "fwd=uri-miss")
}

// TestAnAccountThatChangesMeanwhile: what came for the new account is not stored
// as the old one's.
func TestAnAccountThatChangesMeanwhile(t *testing.T) {
	s := newStack(t, stackOptions{origin: counting(), wrap: func(next http.RoundTripper) http.RoundTripper {
		return tripper(func(r *http.Request) (*http.Response, error) {
			exchange.From(r.Context()).Account = "account-2"
			return next.RoundTrip(r)
		})
	}})
	s.get("/v1/a").want(t, 200, "answer 1", "fwd=uri-miss; fwd-status=200")
	s.get("/v1/a").want(t, 200, "answer 2", "fwd=uri-miss")
}
