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
	"iqgateway/cache/storetest"
	"iqgateway/internal/exchange"
)

// seen lets a test wait until the gateway knows that a caller has left.
type seen chan context.Context

func (c seen) note(r *http.Request) {
	if r.Header.Get("X-Caller") == "leaves" {
		c <- r.Context()
	}
}

// TestAReadAcrossAWrite: what was asked for before a write and comes after it
// answers who asked for it, and nobody else; nor does it replace what was asked
// for later.
func TestAReadAcrossAWrite(t *testing.T) {
	var reads atomic.Int64
	come, open := make(chan struct{}), make(chan struct{})
	s := newStack(t, stackOptions{origin: func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			return
		}
		i := reads.Add(1)
		if i%2 == 1 {
			come <- struct{}{}
			<-open
		}
		_, _ = fmt.Fprintf(w, "answer %d", i)
	}})
	for i, between := range []bool{false, true} { // another read ends in between
		first, second := 2*i+1, 2*i+2
		path := fmt.Sprint("/v1/", i)
		var old sync.WaitGroup
		old.Go(func() { s.get(path).want(t, 200, fmt.Sprint("answer ", first), "fwd=uri-miss") })
		<-come
		s.ask(http.MethodPut, path)
		if between {
			s.get(path).want(t, 200, fmt.Sprint("answer ", second), "fwd=uri-miss")
		}
		open <- struct{}{}
		old.Wait()
		eventually(t, "all have ended", func() bool { return s.flights() == 0 })
		if !between {
			s.get(path).want(t, 200, fmt.Sprint("answer ", second), "fwd=uri-miss")
		}
		s.get(path).want(t, 200, fmt.Sprint("answer ", second), "hit")
	}
}

// TestAnOlderFetchEndsAlone: the newer one goes on being joined.
func TestAnOlderFetchEndsAlone(t *testing.T) {
	var reads atomic.Int64
	come, open := make(chan struct{}), []chan struct{}{make(chan struct{}), make(chan struct{})}
	s := newStack(t, stackOptions{origin: func(_ http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPut {
			i := reads.Add(1) - 1
			come <- struct{}{}
			<-open[i]
		}
	}})
	var older, newer sync.WaitGroup
	older.Go(func() { s.get("/v1/a").want(t, 200, "", "fwd=") })
	<-come
	s.ask(http.MethodPut, "/v1/a")
	newer.Go(func() { s.get("/v1/a").want(t, 200, "", "fwd=") })
	<-come
	close(open[0])
	older.Wait()
	if n := s.flights(); n != 1 {
		t.Errorf("%d fetches can be joined", n)
	}
	close(open[1])
	newer.Wait()
}

// TestALeaderThatHasLeft: the gateway knows that it has gone, and the others get
// its answer all the same.
func TestALeaderThatHasLeft(t *testing.T) {
	g := newGate(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "one") })
	left := make(seen, 1)
	var entered atomic.Int64
	s := newStack(t, stackOptions{origin: g.ServeHTTP, between: left.note, stage: countRequests(&entered)})
	ctx, leave := context.WithCancel(t.Context())
	var leader sync.WaitGroup
	leader.Go(func() { s.send(ctx, 0, http.MethodGet, "/v1/a", "", "X-Caller: leaves") })
	<-g.come
	wait := s.crowd(5, "/v1/a")
	s.nodes[0].waiting(t, 6, &entered)
	leave()
	<-(<-left).Done()
	close(g.open)
	for _, a := range wait() {
		a.want(t, 200, "one", "")
	}
	leader.Wait()
	s.wantAsked(1)
}

// TestAnAnswerThatNobodyReads ends upstream when its leader has left before it
// came, and it turns out to be for the leader alone; or when it grows beyond
// what is kept.
func TestAnAnswerThatNobodyReads(t *testing.T) {
	for _, tt := range []struct {
		name      string
		directive string
	}{{"not to be shared", "no-store"}, {"too large", ""}} {
		t.Run(tt.name, func(t *testing.T) {
			come, open, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
			left := make(seen, 1)
			s := newStack(t, stackOptions{between: left.note, origin: func(w http.ResponseWriter, r *http.Request) {
				defer close(ended)
				close(come)
				<-open
				w.Header().Set("Cache-Control", tt.directive)
				for end := time.Now().Add(10 * time.Second); r.Context().Err() == nil; {
					if _, err := w.Write(make([]byte, 64<<10)); err != nil {
						return
					}
					if time.Now().After(end) {
						t.Error("the upstream's transfer was not ended")
						return
					}
				}
			}})
			ctx, leave := context.WithCancel(t.Context())
			var leader sync.WaitGroup
			leader.Go(func() { s.send(ctx, 0, http.MethodGet, "/v1/a", "", "X-Caller: leaves") })
			<-come
			leave()
			<-(<-left).Done()
			leader.Wait()
			close(open)
			<-ended
		})
	}
}

// TestCloseEndsWhatNobodyWaitsFor.
func TestCloseEndsWhatNobodyWaitsFor(t *testing.T) {
	come, ended := make(chan struct{}), make(chan struct{})
	left := make(seen, 1)
	s := newStack(t, stackOptions{between: left.note, origin: func(_ http.ResponseWriter, r *http.Request) {
		defer close(ended)
		close(come)
		select {
		case <-r.Context().Done():
		case <-time.After(10 * time.Second):
			t.Error("the fetch goes on")
		}
	}})
	ctx, leave := context.WithCancel(t.Context())
	var leader sync.WaitGroup
	leader.Go(func() { s.send(ctx, 0, http.MethodGet, "/v1/a", "", "X-Caller: leaves") })
	<-come
	leave()
	<-(<-left).Done()
	leader.Wait()
	s.nodes[0].cache.Close()
	<-ended
}

// TestALongBodyIsNotCut: the time of a fetch bounds what others wait for. What
// goes to its leader alone may take longer.
func TestALongBodyIsNotCut(t *testing.T) {
	const limit, kept = 500 * time.Millisecond, 1000
	for _, tt := range []struct {
		name, directive string
		size            int
	}{{"not to be shared", "no-store", 10}, {"too large", "", 2 * kept}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStack(t, stackOptions{
				service: cache.Service{FetchTimeout: limit, MaxObject: kept},
				origin: func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Cache-Control", tt.directive)
					_, _ = w.Write(make([]byte, tt.size))
					_ = http.NewResponseController(w).Flush()
					wait(r.Context(), 2*limit)
					_, _ = io.WriteString(w, "the end")
				},
			})
			if a := s.get("/v1/a"); a.err != nil || len(a.body) != tt.size+len("the end") {
				t.Errorf("%d bytes, %v", len(a.body), a.err)
			}
		})
	}
}

// TestAClaimEndsWithItsFetch: whatever becomes of it, the next replica waits for
// nobody.
func TestAClaimEndsWithItsFetch(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		fail   bool
		alone  bool // the others do not claim for a while
	}{
		{"unreachable", nil, true, false},
		{"failed", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, false, false},
		{"cut", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "12")
			_, _ = io.WriteString(w, "whole")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, false, false},
		{"broken encoding", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = io.WriteString(w, "no gzip")
		}, false, false},
		{"not to be shared", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Cache-Control", "no-store") }, false, true},
		{"too large", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 2<<20)) }, false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tier, log := &claimCounter{Tier: storetest.NewTier()}, storetest.NewLog()
			s := newStack(t, stackOptions{
				nodes: 2, origin: tt.answer,
				options: func(int) cache.Options { return cache.Options{Memory: 1 << 20, Log: log, Tier: tier} },
				wrap: func(next http.RoundTripper) http.RoundTripper {
					return tripper(func(r *http.Request) (*http.Response, error) {
						if tt.fail {
							return nil, exchange.Refuse(exchange.UpstreamUnreachable, "x")
						}
						return next.RoundTrip(r)
					})
				},
			})
			s.heard()
			s.askNode(0, http.MethodGet, "/v1/a", "", "Accept-Encoding: gzip")
			eventually(t, "the claim is given back", func() bool { return tier.released.Load() == 1 })
			ctx, leave := context.WithTimeout(t.Context(), 2*time.Second)
			defer leave()
			if a := s.send(ctx, 1, http.MethodGet, "/v1/a", "", "Accept-Encoding: gzip"); errors.Is(a.err, context.DeadlineExceeded) {
				t.Error("the other one waits for nobody")
			}
			if n := tier.claimed.Load(); n != map[bool]int64{true: 1, false: 2}[tt.alone] {
				t.Errorf("%d claims", n)
			}
			if events := log.Events(); len(events) != 0 { // there was nothing that could be outdated
				t.Errorf("the fleet was told of %v", events)
			}
		})
	}
}

// frozenTier lets nobody put until it is opened, and then fails as it is told.
type frozenTier struct {
	cache.Tier
	open  chan struct{}
	panic bool
}

// Put implements [cache.Tier].
func (f *frozenTier) Put(ctx context.Context, name string, value []byte, ttl time.Duration, token string) error {
	<-f.open
	if f.panic {
		panic("a defect")
	}
	return f.Tier.Put(ctx, name, value, ttl, token)
}

// TestNobodyWaitsForTheTierToTake what was fetched, nor is harmed by it.
func TestNobodyWaitsForTheTierToTake(t *testing.T) {
	for _, panics := range []bool{false, true} {
		t.Run(fmt.Sprint("panics ", panics), func(t *testing.T) {
			tier := &frozenTier{storetest.NewTier(), make(chan struct{}), panics}
			log := storetest.NewLog()
			var told atomic.Int64
			g := newGate(counting())
			var entered atomic.Int64
			s := newStack(t, stackOptions{origin: g.ServeHTTP, stage: countRequests(&entered), options: func(int) cache.Options {
				return cache.Options{Memory: 1 << 20, Log: log, Tier: tier, Hooks: cache.Hooks{
					Panicked: func(cache.ServiceName, any, []byte) { told.Add(1) },
				}}
			}})
			s.heard()
			wait := s.crowd(5, "/v1/a")
			s.nodes[0].waiting(t, 5, &entered)
			close(g.open)
			for _, a := range wait() {
				a.want(t, 200, "answer 1", "")
			}
			close(tier.open)
			s.nodes[0].cache.Close()
			if n := told.Load(); n != map[bool]int64{true: 1, false: 0}[panics] {
				t.Errorf("told of %d panics", n)
			}
		})
	}
}

// TestAFailureIsSharedWhereAStaleAnswerStandsIn: those that wait for a fetch
// that fails do not ask a failing upstream one by one.
func TestAFailureIsSharedWhereAStaleAnswerStandsIn(t *testing.T) {
	for _, tt := range []struct {
		name string
		fail http.HandlerFunc
	}{
		{"failed", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }},
		{"cut", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "20000") // what has begun is not asked for again by the client
			_, _ = w.Write(make([]byte, 10000))
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rule := everything()
			rule.StaleIfError = time.Hour
			var entered atomic.Int64
			var sick atomic.Bool
			g := newGate(tt.fail)
			s := newStack(t, stackOptions{rule: rule, stage: countRequests(&entered), origin: func(w http.ResponseWriter, r *http.Request) {
				if sick.Load() {
					g.ServeHTTP(w, r)
					return
				}
				_, _ = io.WriteString(w, "good")
			}})
			s.get("/v1/a").want(t, 200, "good", "fwd=uri-miss")
			s.pass(2 * time.Minute)
			sick.Store(true)
			wait := s.crowd(20, "/v1/a")
			s.nodes[0].waiting(t, 21, &entered)
			close(g.open)
			stale := 0
			for _, a := range wait() {
				if a.err == nil && a.body == "good" && strings.HasPrefix(a.cache, "hit; ttl=-") {
					stale++
				}
			}
			if asked := s.asked.Load() - 1; stale < 10 || asked > 10 { // some may have come after the failure
				t.Errorf("%d of 20 were answered from the store, the upstream was asked %d times", stale, asked)
			}
		})
	}
}
