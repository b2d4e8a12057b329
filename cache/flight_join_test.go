package cache_test

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"iqgateway/cache"
	"iqgateway/cache/storetest"
	"iqgateway/internal/exchange"
)

// TestWhoWaitsForWhom: a fetch that waits for its turn is waited for by those
// who are not more urgent; one to which the upstream answers, by all.
func TestWhoWaitsForWhom(t *testing.T) {
	for _, tt := range []struct {
		first, then string
		begun       bool // the first one's answer
		asked       int64
	}{
		{"background", "batch", false, 2},
		{"background", "interactive", false, 2},
		{"batch", "interactive", false, 2},
		{"batch", "batch", false, 1},
		{"interactive", "background", false, 1},
		{"background", "interactive", true, 1},
	} {
		t.Run(tt.first+" then "+tt.then, func(t *testing.T) {
			var entered, sent atomic.Int64
			come, open := make(chan struct{}), make(chan struct{})
			answer := sync.OnceFunc(func() { close(open) })
			hold := func(begun bool) {
				if tt.begun == begun && sent.Load() == 1 {
					close(come)
					<-open
				}
			}
			s := newStack(t, stackOptions{
				stage: countRequests(&entered),
				origin: func(w http.ResponseWriter, _ *http.Request) {
					_ = http.NewResponseController(w).Flush()
					hold(true)
					_, _ = io.WriteString(w, "here")
				},
				wrap: func(next http.RoundTripper) http.RoundTripper {
					return tripper(func(r *http.Request) (*http.Response, error) {
						sent.Add(1)
						hold(false)
						return next.RoundTrip(r)
					})
				},
			})
			t.Cleanup(answer)
			var both sync.WaitGroup
			both.Go(func() { s.get("/v1/a", "X-Class: "+tt.first).want(t, 200, "here", "fwd=uri-miss") })
			<-come
			if tt.begun {
				eventually(t, "the answer has begun", func() bool { return s.nodes[0].cache.Answered() == 1 })
			}
			both.Go(func() { s.get("/v1/a", "X-Class: "+tt.then).want(t, 200, "here", "") })
			eventually(t, "the other one is there", func() bool { return entered.Load() == 2 && sent.Load() == tt.asked })
			answer()
			both.Wait()
			s.wantAsked(tt.asked)
		})
	}
}

// TestNoCacheBeforeTheAnswer: who wants the upstream asked waits for a fetch
// that it has not begun to answer.
func TestNoCacheBeforeTheAnswer(t *testing.T) {
	const callers = 40
	rule := everything()
	rule.NoCache = cache.NoCacheObey
	var entered atomic.Int64
	g := newGate(counting())
	s := newStack(t, stackOptions{rule: rule, origin: g.ServeHTTP, stage: countRequests(&entered)})
	wait := s.crowd(callers, "/v1/a", "Cache-Control: no-cache")
	s.nodes[0].waiting(t, callers, &entered)
	close(g.open)
	for _, a := range wait() {
		a.want(t, 200, a.body, "fwd=")
	}
	if n := s.asked.Load(); n > callers/2 { // some may have come after the answer
		t.Errorf("%d callers asked %d times", callers, n)
	}
}

// TestTheLargestThatIsKept is as large as is allowed, whether that is announced
// or not.
func TestTheLargestThatIsKept(t *testing.T) {
	const limit = 100_000
	for _, tt := range []struct {
		name    string
		size    int
		chunked bool
		kept    bool
	}{
		{"announced", limit, false, true},
		{"not announced", limit, true, true},
		{"announced, too large", limit + 1, false, false},
		{"not announced, too large", limit + 1, true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStack(t, stackOptions{
				service: cache.Service{MaxObject: limit},
				origin: func(w http.ResponseWriter, _ *http.Request) {
					if !tt.chunked {
						w.Header().Set("Content-Length", strconv.Itoa(tt.size))
					}
					_, _ = w.Write(make([]byte, tt.size))
				},
			})
			for range 2 {
				a := s.get("/v1/a")
				if len(a.body) != tt.size || a.err != nil || !tt.kept && strings.Contains(a.cache, "stored") {
					t.Errorf("%d bytes, %s, %v", len(a.body), a.cache, a.err)
				}
			}
			s.wantAsked(map[bool]int64{true: 1, false: 2}[tt.kept])
			stats := s.nodes[0].cache.Stats()
			if kept := stats.Services[0].Stored == 1; kept != tt.kept {
				t.Errorf("counted as stored: %v", kept)
			}
		})
	}
}

// TestAHeaderTooLargeToKeep is not kept without its fields.
func TestAHeaderTooLargeToKeep(t *testing.T) {
	s := newStack(t, stackOptions{origin: func(w http.ResponseWriter, _ *http.Request) {
		for i := range 40 {
			w.Header().Set("Field-"+strconv.Itoa(i), strings.Repeat("x", 4<<10))
		}
	}})
	for range 2 {
		if a := s.get("/v1/a"); a.status != http.StatusOK || len(a.header.Get("Field-39")) != 4<<10 || strings.HasPrefix(a.cache, "hit") {
			t.Errorf("got %d, %s", a.status, a.cache)
		}
	}
}

// TestNothingEncodedIsWhole: an empty body is not cut inside its encoding.
func TestNothingEncodedIsWhole(t *testing.T) {
	s := newStack(t, stackOptions{origin: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
	}})
	s.get("/v1/a", "Accept-Encoding: gzip").want(t, 200, "", "fwd=uri-miss")
	s.get("/v1/a", "Accept-Encoding: gzip").want(t, 200, "", "hit")
}

// TestAnotherAccountSaysNothing about what is stored for the one before, nor
// whether the next answer can be shared.
func TestAnotherAccountSaysNothing(t *testing.T) {
	var changed atomic.Bool
	rule := everything()
	log := storetest.NewLog()
	s := newStack(t, stackOptions{
		rule: rule, origin: counting(), options: func(int) cache.Options { return cache.Options{Log: log} },
		wrap: func(next http.RoundTripper) http.RoundTripper {
			return tripper(func(r *http.Request) (*http.Response, error) {
				if changed.Load() {
					exchange.From(r.Context()).Account = "account-2"
				}
				return next.RoundTrip(r)
			})
		},
	})
	s.get("/v1/a").want(t, 200, "answer 1", "fwd=uri-miss")
	s.pass(2 * time.Minute)
	changed.Store(true)
	s.get("/v1/a").want(t, 200, "answer 2", "fwd=stale")
	if events := log.Events(); len(events) != 0 {
		t.Errorf("dropped: %v", events)
	}
	if s.nodes[0].cache.Unshared() != 0 {
		t.Error("remembered as not to be shared")
	}
}
