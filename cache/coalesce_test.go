package cache_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"iqgateway/cache"
	"iqgateway/internal/exchange"
)

// gate is an origin whose answers wait until they are let go.
type gate struct {
	come chan struct{} // one for each request that has come
	open chan struct{} // closed or fed to answer
	then http.HandlerFunc
}

func newGate(then http.HandlerFunc) *gate {
	return &gate{come: make(chan struct{}, 1000), open: make(chan struct{}), then: then}
}

// ServeHTTP implements [http.Handler].
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.come <- struct{}{}
	select {
	case <-g.open:
	case <-r.Context().Done():
		return
	}
	g.then(w, r)
}

// crowd sends n equal requests, each when the one before has been sent, and
// returns their answers once let is called.
func (s *stack) crowd(n int, path string, fields ...string) (wait func() []got) {
	answers := make([]got, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			answers[i] = s.send(context.WithoutCancel(s.t.Context()), i%len(s.nodes), http.MethodGet, path, "", fields...)
		})
	}
	return func() []got {
		all.Wait()
		return answers
	}
}

// waiting waits until so many requests take part in flights or wait alone.
func (n *node) waiting(t *testing.T, most int, inFlight *atomic.Int64) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d requests at the gateway", most), func() bool { return inFlight.Load() >= int64(most) })
}

// counted counts requests that have entered the store stage's transport user.
func countRequests(into *atomic.Int64) func(*cache.StageOptions) {
	return func(o *cache.StageOptions) {
		o.Account = func(*exchange.Exchange) (string, bool) {
			into.Add(1)
			return "account-1", true
		}
	}
}

// TestOneFetchForAll: equal requests that run at the same time cost one request
// upstream, and the leader's leaving changes nothing for the others.
func TestOneFetchForAll(t *testing.T) {
	g := newGate(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "one") })
	var asked atomic.Int64
	s := newStack(t, stackOptions{origin: g.ServeHTTP, stage: countRequests(&asked)})

	ctx, leave := context.WithCancel(t.Context())
	var leader sync.WaitGroup
	leader.Go(func() {
		if a := s.send(ctx, 0, http.MethodGet, "/v1/a", ""); !errors.Is(a.err, context.Canceled) {
			t.Errorf("the leader got %+v", a)
		}
	})
	<-g.come
	wait := s.crowd(200, "/v1/a")
	s.nodes[0].waiting(t, 201, &asked)
	leave()
	leader.Wait()
	close(g.open)
	collapsed := 0
	for _, a := range wait() {
		if a.status != 200 || a.body != "one" {
			t.Fatalf("got %+v", a)
		}
		if strings.Contains(a.cache, "collapsed") {
			collapsed++
		}
	}
	if collapsed < 190 { // some may have come after the answer
		t.Errorf("%d of 200 were told that they shared an answer", collapsed)
	}
	s.wantAsked(1)
	s.get("/v1/a").want(t, 200, "one", "hit")
}

// TestWhatCannotBeShared: every follower asks for itself, a few at a time, and
// the key is not coalesced for a while.
func TestWhatCannotBeShared(t *testing.T) {
	for _, tt := range []struct {
		name    string
		answer  http.HandlerFunc
		status  int
		lasting bool // the next requests are not made to wait for each other
	}{
		{"no-store", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Cache-Control", "no-store") }, 200, true},
		{"set apart by Vary", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Vary", "*") }, 200, true},
		{"a redirection", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusFound) }, 302, false},
		{"an error", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, 500, false},
		{"too large", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(make([]byte, 3<<20))
		}, 200, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			const n = 40
			var now, most atomic.Int64
			g := newGate(nil)
			first := atomic.Bool{}
			g.then = func(w http.ResponseWriter, r *http.Request) {
				if first.Swap(true) {
					if at := now.Add(1); at > most.Load() {
						most.Store(at)
					}
					defer now.Add(-1)
				}
				tt.answer(w, r)
			}
			var asked atomic.Int64
			s := newStack(t, stackOptions{origin: g.ServeHTTP, stage: countRequests(&asked)})
			wait := s.crowd(n, "/v1/a")
			s.nodes[0].waiting(t, n, &asked)
			close(g.open)
			for _, a := range wait() {
				if a.err != nil || a.status != tt.status || strings.Contains(a.cache, "collapsed") || strings.Contains(a.cache, "stored") {
					t.Fatalf("got %d %q %v", a.status, a.cache, a.err)
				}
			}
			s.wantAsked(n)
			if m := most.Load(); m > cache.AlonePerKey {
				t.Errorf("%d followers were upstream at once, want %d at most", m, cache.AlonePerKey)
			}
			c := s.nodes[0].cache
			if got := c.Unshared() > 0; got != tt.lasting {
				t.Errorf("remembered as not to be shared: %v, want %v", got, tt.lasting)
			}
			if c.Crowds() != 0 || c.Flights() != 0 {
				t.Errorf("left behind: %d crowds, %d flights", c.Crowds(), c.Flights())
			}
		})
	}
}

// TestALargeAnswerIsStreamed: what is larger than what is kept goes to its
// caller as it comes, and nothing of it stays.
func TestALargeAnswerIsStreamed(t *testing.T) {
	for _, chunked := range []bool{false, true} {
		t.Run(fmt.Sprintf("chunked %v", chunked), func(t *testing.T) {
			const size = 8 << 20
			s := newStack(t, stackOptions{origin: func(w http.ResponseWriter, _ *http.Request) {
				if !chunked {
					w.Header().Set("Content-Length", fmt.Sprint(size))
				}
				for range size / (64 << 10) {
					_, _ = w.Write(make([]byte, 64<<10))
				}
			}})
			for range 2 {
				if a := s.get("/v1/big"); a.err != nil || len(a.body) != size {
					t.Fatalf("%d bytes, %v", len(a.body), a.err)
				}
			}
			s.wantAsked(2)
			if n := s.nodes[0].cache.Bytes(); n != 0 {
				t.Errorf("%d bytes are kept", n)
			}
		})
	}
}

// TestALeaderThatLeavesALargeAnswer ends the upstream's transfer: nobody reads
// it any more.
func TestALeaderThatLeavesALargeAnswer(t *testing.T) {
	ended := make(chan struct{})
	s := newStack(t, stackOptions{origin: func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	}})
	ctx, leave := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.nodes[0].server.URL+"/v1/endless", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.CopyN(io.Discard, resp.Body, 4<<20); err != nil {
		t.Fatal(err)
	}
	leave()
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Fatal("the upstream still sends")
	}
}

// TestATruncatedAnswer is stored nowhere: who has seen some of it sees it cut,
// the others ask again.
func TestATruncatedAnswer(t *testing.T) {
	cut := atomic.Bool{}
	cut.Store(true)
	g := newGate(func(w http.ResponseWriter, _ *http.Request) {
		if !cut.Load() {
			_, _ = io.WriteString(w, "whole answer")
			return
		}
		w.Header().Set("Content-Length", "12")
		_, _ = io.WriteString(w, "whole")
		_ = http.NewResponseController(w).Flush()
		cut.Store(false)
		panic(http.ErrAbortHandler)
	})
	var asked atomic.Int64
	s := newStack(t, stackOptions{origin: g.ServeHTTP, stage: countRequests(&asked)})
	wait := s.crowd(20, "/v1/a")
	s.nodes[0].waiting(t, 20, &asked)
	close(g.open)
	cutOff := 0
	for _, a := range wait() {
		switch {
		case a.err != nil:
			cutOff++
		case a.body != "whole answer":
			t.Errorf("got %+v", a)
		}
	}
	if cutOff != 1 {
		t.Errorf("%d saw the answer cut, want its leader alone", cutOff)
	}
}

// TestAPanicReleasesAll: whoever waits for a fetch that panics gets an error.
func TestAPanicReleasesAll(t *testing.T) {
	var asked atomic.Int64
	enough := make(chan struct{})
	panics := atomic.Int64{}
	s := newStack(t, stackOptions{
		origin: func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "fine") },
		stage:  countRequests(&asked),
		options: func(int) cache.Options {
			return cache.Options{Hooks: cache.Hooks{Panicked: func(cache.ServiceName, any, []byte) { panics.Add(1) }}}
		},
		wrap: func(next http.RoundTripper) http.RoundTripper {
			first := atomic.Bool{}
			return tripper(func(r *http.Request) (*http.Response, error) {
				if !first.Swap(true) {
					<-enough
					panic("a defect")
				}
				return next.RoundTrip(r)
			})
		},
	})
	wait := s.crowd(20, "/v1/a")
	s.nodes[0].waiting(t, 20, &asked)
	close(enough)
	failed := 0
	for _, a := range wait() {
		if a.status == http.StatusInternalServerError {
			failed++
		} else if a.status != 200 || a.body != "fine" {
			t.Errorf("got %+v", a)
		}
	}
	if failed == 0 || panics.Load() != 1 {
		t.Errorf("%d got an error, %d panics were told", failed, panics.Load())
	}
}

type tripper func(*http.Request) (*http.Response, error)

// RoundTrip implements [http.RoundTripper].
func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestUrgentRequestsDoNotWaitForOthers: a fetch that waits for its turn in the
// background is not what an interactive caller waits for.
func TestUrgentRequestsDoNotWaitForOthers(t *testing.T) {
	slow := make(chan struct{})
	s := newStack(t, stackOptions{
		origin: func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "here") },
		wrap: func(next http.RoundTripper) http.RoundTripper {
			return tripper(func(r *http.Request) (*http.Response, error) {
				if exchange.From(r.Context()).Class == "background" {
					<-slow
				}
				return next.RoundTrip(r)
			})
		},
	})
	var background sync.WaitGroup
	background.Go(func() { s.get("/v1/a", "X-Class: background").want(t, 200, "here", "fwd=uri-miss") })
	eventually(t, "a flight", func() bool { return s.nodes[0].cache.Flights() == 1 })
	s.get("/v1/a", "X-Class: interactive").want(t, 200, "here", "fwd=uri-miss")
	close(slow)
	background.Wait()
	s.wantAsked(2)
}

// TestASlowCallerSlowsNobody: the answer is complete in the store however slowly
// its leader reads.
func TestASlowCallerSlowsNobody(t *testing.T) {
	body := strings.Repeat("x", 900<<10)
	s := newStack(t, stackOptions{origin: func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.nodes[0].server.URL+"/v1/a", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept-Encoding", "identity")
	resp, err := s.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	a := s.get("/v1/a")
	if a.body != body {
		t.Fatalf("%d bytes, %v", len(a.body), a.err)
	}
	if rest, err := io.ReadAll(resp.Body); err != nil || string(rest) != body {
		t.Errorf("the slow one got %d bytes, %v", len(rest), err)
	}
	s.wantAsked(1)
}

// TestSeparateRequests: where coalescing is off, each request asks for itself,
// and what comes is stored all the same.
func TestSeparateRequests(t *testing.T) {
	g := newGate(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "one") })
	s := newStack(t, stackOptions{
		origin: g.ServeHTTP, options: func(int) cache.Options { return cache.Options{Separate: true} },
	})
	wait := s.crowd(10, "/v1/a")
	for range 10 {
		<-g.come
	}
	close(g.open)
	for _, a := range wait() {
		a.want(t, 200, "one", "fwd=uri-miss")
	}
	s.wantAsked(10)
	s.get("/v1/a").want(t, 200, "one", "hit")
}

// TestAFlightThatHasJustEnded: who has looked before an answer was stored, and
// asks after its fetch has ended, gets that answer.
func TestAFlightThatHasJustEnded(t *testing.T) {
	looked, ended := make(chan struct{}), make(chan struct{})
	s := newStack(t, stackOptions{origin: counting(), between: func(r *http.Request) {
		if r.Header.Get("X-Caller") == "late" {
			close(looked)
			<-ended
		}
	}})
	var late sync.WaitGroup
	late.Go(func() { s.get("/v1/a", "X-Caller: late").want(t, 200, "answer 1", "hit") })
	<-looked
	s.get("/v1/a").want(t, 200, "answer 1", "fwd=uri-miss")
	close(ended)
	late.Wait()
	s.wantAsked(1)
}
