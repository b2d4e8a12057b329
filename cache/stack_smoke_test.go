package cache_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

// counting answers with how often it was asked.
func counting(fields ...string) http.HandlerFunc {
	n := 0
	return func(w http.ResponseWriter, _ *http.Request) {
		n++
		for i := 0; i+1 < len(fields); i += 2 {
			w.Header().Add(fields[i], fields[i+1])
		}
		fmt.Fprintf(w, "answer %d", n)
	}
}

// TestAnAnswerIsUsedAgain is the way of one answer through memory: fetched,
// used, aged, and fetched anew.
func TestAnAnswerIsUsedAgain(t *testing.T) {
	s := newStack(t, stackOptions{origin: counting("Content-Type", "text/plain")})
	s.get("/v1/a").want(t, 200, "answer 1", "fwd=uri-miss; fwd-status=200; stored")
	s.pass(2 * time.Second)
	hit := s.get("/v1/a").want(t, 200, "answer 1", "hit; ttl=5")
	if age := hit.header.Get("Age"); age != "2" {
		t.Errorf("Age %q", age)
	}
	s.ask(http.MethodHead, "/v1/a").want(t, 200, "", "hit")
	s.wantAsked(1)
	s.pass(time.Minute)
	s.get("/v1/a").want(t, 200, "answer 2", "fwd=stale; fwd-status=200; stored")
	s.wantAsked(2)
	if stats := s.nodes[0].cache.Stats(); len(stats.Services) != 1 || stats.Services[0].Hits != 2 || stats.Services[0].SavedCalls != 2 {
		t.Errorf("%+v", stats)
	}
}
