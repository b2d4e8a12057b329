package cache_test

import (
	"context"
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

// traced is a stack whose exchanges are in traces, and can be looked at by the
// value of X-Caller.
type traced struct {
	*stack
	mu        sync.Mutex
	exchanges map[string]*exchange.Exchange
	entered   atomic.Int64
	refreshed chan cache.WorkInfo
	fetched   chan cache.WorkInfo
}

func newTraced(t *testing.T, o stackOptions) *traced {
	t.Helper()
	tr := &traced{
		exchanges: map[string]*exchange.Exchange{}, refreshed: make(chan cache.WorkInfo, 1), fetched: make(chan cache.WorkInfo, 1),
	}
	o.options = func(int) cache.Options {
		return cache.Options{Hooks: cache.Hooks{
			Refreshed: func(i cache.WorkInfo) { tr.refreshed <- i },
			Fetched:   func(i cache.WorkInfo) { tr.fetched <- i },
		}}
	}
	o.between = tr.begin
	o.stage = func(so *cache.StageOptions) { // called by the lookup, which a hit does not leave
		so.Account = func(ex *exchange.Exchange) (string, bool) {
			if ex.Trace.ID == (exchange.TraceID{}) {
				ex.Trace = exchange.NewTrace()
				ex.Trace.Sampled, ex.Trace.Told, ex.Trace.State = true, true, "vendor=1"
			}
			tr.entered.Add(1)
			return "account-1", true
		}
	}
	o.wrap = func(next http.RoundTripper) http.RoundTripper { return noting{next} }
	tr.stack = newStack(t, o)
	return tr
}

// begin keeps an exchange that goes on below the lookup.
func (tr *traced) begin(r *http.Request) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.exchanges[r.Header.Get("X-Caller")] = exchange.From(r.Context())
}

func (tr *traced) of(caller string) *exchange.Exchange {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.exchanges[caller]
}

// noting notes attempts as the stages below do.
type noting struct{ next http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (n noting) RoundTrip(r *http.Request) (*http.Response, error) {
	ex, start := exchange.From(r.Context()), time.Now()
	ex.Waited(start, exchange.Wait{Kind: exchange.WaitQuota, Result: exchange.QuotaGranted})
	res, err := n.next.RoundTrip(r)
	if err != nil {
		ex.Tried(start, exchange.Try{Failure: "reset"})
		return nil, err
	}
	body := new(exchange.BodyEnd)
	ex.Tried(start, exchange.Try{Span: exchange.NewSpanID(), Status: res.StatusCode, Body: body})
	res.Body = exchange.OnEnd(res.Body, func() { body.Set(time.Since(start), "") })
	return res, nil
}

// followed has two requests of the callers fetch the same.
func followed(t *testing.T, leader, follower string) (leads, follows *exchange.Exchange) {
	t.Helper()
	for range 20 { // one may come too late to follow
		g := newGate(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "one") })
		tr := newTraced(t, stackOptions{origin: g.ServeHTTP})
		var all sync.WaitGroup
		all.Go(func() {
			tr.get("/v1/a", "X-Caller: "+leader).want(t, 200, "one", "fwd=uri-miss; fwd-status=200; stored")
		})
		<-g.come
		leads, follows = tr.of(leader), nil
		all.Go(func() { tr.get("/v1/a", "X-Caller: "+follower) })
		eventually(t, "the follower is there", func() bool {
			follows = tr.of(follower)
			return follows != nil && follows != leads
		})
		close(g.open)
		all.Wait()
		if follows.Cache.Result == exchange.CacheCoalesced {
			return leads, follows
		}
	}
	t.Fatal("none has followed")
	return nil, nil
}

// TestALeaderTellsOfItsFetch, and a follower links to it.
func TestALeaderTellsOfItsFetch(t *testing.T) {
	leads, follows := followed(t, "leads", "follows")
	if len(leads.Tries) != 1 || len(leads.Waits) != 1 || !leads.Link.IsZero() || leads.Cache.At <= 0 {
		t.Errorf("the leader has %+v, %+v, %+v", leads.Tries, leads.Waits, leads.Cache)
	}
	if _, _, ended := leads.Tries[0].Body.Get(); !ended {
		t.Error("the body that it has read has not ended")
	}
	if follows.Link != leads.Trace.Link() || len(follows.Tries)+len(follows.Waits) != 0 || follows.Cache.At <= 0 {
		t.Errorf("the follower links to %v, not %v, and has %+v", follows.Link, leads.Trace.Link(), follows.Tries)
	}
}

// TestAFollowerOfItsOwnCaller may be told of its leader.
func TestAFollowerOfItsOwnCaller(t *testing.T) {
	leads, follows := followed(t, "pos", "pos")
	if link := follows.Link; !link.Own || link.Trace != leads.Trace.ID || link.Span != leads.Trace.Span {
		t.Errorf("it links to %v, not to its own %v", link, leads.Trace)
	}
}

// TestAFetchWhoseLeaderLeftTellsOfItself, in its leader's trace: an upstream that is
// trusted was told of that.
func TestAFetchWhoseLeaderLeftTellsOfItself(t *testing.T) {
	for _, tt := range []struct {
		name   string
		origin http.HandlerFunc
		tries  int
		failed bool
	}{
		{"stored", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "one") }, 1, false},
		{"for the leader alone", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Cache-Control", "no-store") }, 1, false},
		{"failed", func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }, 1, true},
		{"cut", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(w, "one")
		}, 1, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g, left := newGate(tt.origin), make(seen, 1)
			tr := newTraced(t, stackOptions{origin: g.ServeHTTP, after: left.note})
			ctx, leave := context.WithCancel(t.Context())
			var leader sync.WaitGroup
			leader.Go(func() { tr.send(ctx, 0, http.MethodGet, "/v1/a", "", "X-Caller: leaves") })
			<-g.come
			leave()
			<-left // and waits for nothing any more
			leader.Wait()
			close(g.open)
			info := <-tr.fetched
			ex, own := tr.of("leaves"), info.Exchange
			want := ex.Trace
			want.Span, want.Parent = own.Trace.Span, ex.Trace.Span
			if own.Trace != want || own.Trace.Span == ex.Trace.Span || !own.Link.IsZero() {
				t.Errorf("it is in %+v with link %v; its leader in %+v", own.Trace, own.Link, ex.Trace)
			}
			if info.Method != http.MethodGet {
				t.Errorf("it is told as %s", info.Method)
			}
			if len(own.Tries) != tt.tries || len(own.Waits) != tt.tries || (info.Err != nil) != tt.failed || info.Took <= 0 || info.Service != crm {
				t.Errorf("%+v: %+v", info, own.Tries)
			}
			if len(ex.Tries)+len(ex.Waits) != 0 {
				t.Errorf("its leader has %+v too", ex.Tries)
			}
		})
	}
}

// refresh returns what a stale hit has had done. The refresh before may be told of
// and not have ended: then the next hit has it done.
func (tr *traced) refresh(caller string) cache.WorkInfo {
	tr.t.Helper()
	for {
		tr.get("/v1/a", "X-Caller: "+caller, "Baggage: a=b").want(tr.t, 200, "", "hit; ttl=-")
		select {
		case info := <-tr.refreshed:
			return info
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// TestARefreshIsATraceOfItsOwn, which links to the hit that began it.
func TestARefreshIsATraceOfItsOwn(t *testing.T) {
	rule := everything()
	rule.StaleWhileRevalidate = time.Hour
	var sick atomic.Bool
	tr := newTraced(t, stackOptions{rule: rule, origin: func(w http.ResponseWriter, _ *http.Request) {
		if sick.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}})
	tr.get("/v1/a", "X-Caller: first")
	for _, failing := range []bool{false, true} {
		sick.Store(failing)
		tr.pass(2 * time.Minute)
		info := tr.refresh("hits")
		own := info.Exchange
		if own.Trace.ID == (exchange.TraceID{}) || own.Link.IsZero() || own.Link.Trace == own.Trace.ID || !own.Trace.Sampled || !own.Trace.Told || own.Trace.State != "" {
			t.Errorf("it is in %+v with link %v", own.Trace, own.Link)
		}
		if len(own.Tries) != 1 || len(own.Waits) != 1 || own.Class != "background" || info.Took < 0 || info.Method != http.MethodGet {
			t.Errorf("%+v: %+v", info, own)
		}
		if sent := tr.last.Load().Header.Get("Baggage"); sent != "" {
			t.Errorf("a shared fetch has sent %q", sent)
		}
	}
}

// TestTheLookupHasATime, whatever came of it.
func TestTheLookupHasATime(t *testing.T) {
	var last atomic.Pointer[exchange.CacheView]
	rule := everything()
	rule.StaleIfError = time.Hour
	var sick atomic.Bool
	s := newStack(t, stackOptions{rule: rule, origin: func(w http.ResponseWriter, _ *http.Request) {
		if sick.Load() {
			w.WriteHeader(http.StatusBadGateway)
		}
	}, options: func(int) cache.Options {
		return cache.Options{Hooks: cache.Hooks{Looked: func(i cache.LookInfo) { last.Store(&i.View) }}}
	}})
	for _, tt := range []struct {
		want   exchange.CacheResult
		path   string
		fields string
		pass   time.Duration
		sick   bool
	}{
		{want: exchange.CacheMiss, path: "/v1/a"},
		{want: exchange.CacheHit, path: "/v1/a"},
		{want: exchange.CacheMiss, path: "/v1/b", fields: "Cache-Control: only-if-cached"},
		{want: exchange.CacheMiss, path: "/v1/c", fields: "Cache-Control: no-store"},
		{want: exchange.CacheBypass, path: "/v1/d", fields: "If-Match: *"},
		{want: exchange.CacheStale, path: "/v1/a", pass: 2 * time.Minute, sick: true},
	} {
		s.pass(tt.pass)
		sick.Store(tt.sick)
		var fields []string
		if tt.fields != "" {
			fields = strings.Split(tt.fields, "\n")
		}
		last.Store(nil)
		s.get(tt.path, fields...)
		eventually(t, "the lookup", func() bool { return last.Load() != nil })
		if v := last.Load(); v.Result != tt.want || v.At <= 0 {
			t.Errorf("%s %q: %+v, want %s", tt.path, tt.fields, v, tt.want)
		}
	}
}

// TestALookupIsNotedWithoutAnAnswer, with the time that another's fetch was waited
// for in vain.
func TestALookupIsNotedWithoutAnAnswer(t *testing.T) {
	looked := make(chan exchange.CacheView, 1)
	g := newGate(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	var s *stack
	var entered, asked, then atomic.Int64 // how often the clock was asked, and how often when the last one had entered
	s = newStack(t, stackOptions{
		origin: g.ServeHTTP, between: func(*http.Request) {
			then.Store(asked.Load())
			entered.Add(1)
		},
		options: func(int) cache.Options {
			return cache.Options{
				Hooks: cache.Hooks{Looked: func(i cache.LookInfo) { looked <- i.View }},
				Now: func() time.Time {
					defer asked.Add(1)
					return s.now()
				},
			}
		},
	})
	check := func(who string, waited time.Duration) {
		t.Helper()
		if v := <-looked; v.Result != exchange.CacheMiss || v.Reason != "uri-miss" || v.Status != "fwd=uri-miss" || v.At <= 0 || v.Time < waited {
			t.Errorf("%s: %+v", who, v)
		}
	}
	var all sync.WaitGroup
	begin := func() (leave context.CancelFunc) {
		ctx, leave := context.WithCancel(t.Context())
		n := entered.Load()
		all.Go(func() { s.send(ctx, 0, http.MethodGet, "/v1/a", "") })
		eventually(t, "it waits", func() bool { return entered.Load() > n && asked.Load() > then.Load() })
		return leave
	}
	leaderLeaves := begin()
	<-g.come
	followerLeaves := begin()
	s.pass(time.Second)
	followerLeaves()
	check("a follower that left", time.Second)
	leaderLeaves()
	check("a leader that left", 0)
	all.Wait()
	close(g.open)
	s.get("/v1/b")
	check("an upstream that failed", 0)
}
