package cache_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"iqgateway/cache"
	"iqgateway/internal/exchange"
)

// TestStaleWhileRevalidate (RFC 5861, section 3): nobody waits, and one fetch
// brings the next answer.
func TestStaleWhileRevalidate(t *testing.T) {
	rule := everything()
	rule.StaleWhileRevalidate = time.Minute
	n, open, come := atomic.Int64{}, make(chan struct{}, 1), make(chan struct{}, 100)
	s := newStack(t, stackOptions{rule: rule, origin: func(w http.ResponseWriter, r *http.Request) {
		i := n.Add(1)
		if i > 1 {
			come <- struct{}{}
			<-open
		}
		if r.Header.Get("Range")+r.Header.Get("Cache-Control") != "" {
			t.Errorf("the refresh carries what concerns its caller alone: %v", r.Header)
		}
		fmt.Fprintf(w, "answer %d", i)
	}})
	s.get("/v1/a")
	s.pass(time.Minute + time.Second)
	for range 50 {
		s.get("/v1/a", "Range: bytes=0-5").want(t, 206, "answer", "hit; ttl=-")
	}
	<-come
	s.wantAsked(2)
	open <- struct{}{}
	eventually(t, "the refresh", func() bool { return strings.HasPrefix(s.get("/v1/a").body, "answer 2") })
	s.get("/v1/a").want(t, 200, "answer 2", "hit; ttl=5")
	s.wantAsked(2)
	s.pass(3 * time.Minute) // beyond: it is waited for
	open <- struct{}{}
	s.get("/v1/a").want(t, 200, "answer 3", "fwd=stale")
}

// TestStaleIfError (RFC 5861, section 4): what fails, or may not be asked, is
// answered from the store, as long as a rule allows it; and is let rest.
func TestStaleIfError(t *testing.T) {
	refused := func(p exchange.ProblemType) failure {
		return func() (*http.Response, error) { return nil, exchange.Refuse(p, "x") }
	}
	status := func(code int) failure {
		return func() (*http.Response, error) {
			return &http.Response{StatusCode: code, Header: http.Header{}, Body: http.NoBody, ProtoMajor: 1}, nil
		}
	}
	for _, tt := range []struct {
		name  string
		fail  failure
		stale bool
	}{
		{"500", status(500), true},
		{"502", status(502), true},
		{"503", status(503), true},
		{"504", status(504), true},
		{"404", status(404), false},
		{"429", status(429), false},
		{"501", status(501), false},
		{"unreachable", refused(exchange.UpstreamUnreachable), true},
		{"timeout", refused(exchange.UpstreamTimeout), true},
		{"quota", refused(exchange.QuotaExceeded), true},
		{"no quota", refused(exchange.QuotaUnavailable), true},
		{"breaker open", refused(exchange.BreakerOpen), true},
		{"too many under way", refused(exchange.UpstreamBusy), true},
		{"no token", refused(exchange.TokenUnavailable), true},
		{"prohibited", refused(exchange.DestinationProhibited), false},
		{"a defect", func() (*http.Response, error) { return nil, errors.New("defect") }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSickStack(t, tt.fail)
			s.get("/v1/a").want(t, 200, "good", "fwd=uri-miss")
			s.failing.Store(true)
			s.pass(2 * time.Minute)
			a := s.get("/v1/a")
			if got := a.status == 200 && a.body == "good"; got != tt.stale {
				t.Fatalf("got %d %q %s", a.status, a.body, a.cache)
			}
			if tt.stale {
				s.staysStale(t)
			}
		})
	}
}

type failure func() (*http.Response, error)

// sickStack has an upstream that can fail, and a rule that bears it for an hour.
type sickStack struct {
	*stack
	failing atomic.Bool
	failed  atomic.Int64 // requests
	waited  atomic.Bool  // quota was to be waited for
}

func newSickStack(t *testing.T, fail failure) *sickStack {
	t.Helper()
	rule := everything()
	rule.StaleIfError = time.Hour
	s := &sickStack{}
	s.stack = newStack(t, stackOptions{
		rule:   rule,
		origin: func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "good") },
		wrap: func(next http.RoundTripper) http.RoundTripper {
			return tripper(func(r *http.Request) (*http.Response, error) {
				if !s.failing.Load() {
					return next.RoundTrip(r)
				}
				s.failed.Add(1)
				s.waited.Store(!exchange.From(r.Context()).NoWait)
				return fail()
			})
		},
	})
	return s
}

// staysStale: the upstream is let rest, asked again after a while, and no longer
// stood in for when the rule's time is over.
func (s *sickStack) staysStale(t *testing.T) {
	t.Helper()
	for range 20 {
		s.get("/v1/a").want(t, 200, "good", "hit; ttl=-")
	}
	if n := s.failed.Load(); n != 1 || s.waited.Load() {
		t.Errorf("a failing upstream was asked %d times in a moment; quota was waited for: %v", n, s.waited.Load())
	}
	s.pass(6 * time.Second)
	s.get("/v1/a").want(t, 200, "good", "")
	if n := s.failed.Load(); n != 2 {
		t.Errorf("it was asked %d times in all, want again after a rest", n)
	}
	s.failing.Store(false)
	s.pass(6 * time.Second)
	s.get("/v1/a").want(t, 200, "good", "fwd=stale; fwd-status=200")
	s.failing.Store(true)
	s.pass(2 * time.Hour)
	if a := s.get("/v1/a"); a.status == 200 {
		t.Errorf("an hour later it is still answered: %s", a.cache)
	}
}

// TestRevalidation (RFC 9111, section 4.3): with the stored validators, whatever
// the caller's own, which then count for the answer that it gets.
func TestRevalidation(t *testing.T) {
	changed := atomic.Bool{}
	s := newStack(t, stackOptions{origin: func(w http.ResponseWriter, r *http.Request) {
		tag := `"1"`
		if changed.Load() {
			tag = `"2"`
		}
		w.Header().Set("Etag", tag)
		if r.Header.Get("If-None-Match") == tag {
			w.Header().Set("X-New", "new")
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = io.WriteString(w, "body of "+tag)
	}})
	s.get("/v1/a", `If-None-Match: "9"`).want(t, 200, `body of "1"`, "fwd=uri-miss")
	s.get("/v1/a", `If-None-Match: W/"1", "x"`).want(t, 304, "", "hit")
	s.pass(2 * time.Minute)
	a := s.get("/v1/a", `If-None-Match: "9"`).want(t, 200, `body of "1"`, "fwd=stale; fwd-status=304")
	if got := s.last.Load().Header.Values("If-None-Match"); len(got) != 1 || got[0] != `"1"` {
		t.Errorf("the upstream was asked with %q", got)
	}
	if a.header.Get("X-New") != "new" {
		t.Error("a field of the 304 is not taken over")
	}
	s.get("/v1/a").want(t, 200, `body of "1"`, "hit; ttl=5")
	s.pass(2 * time.Minute)
	changed.Store(true)
	s.get("/v1/a", `If-None-Match: "2"`).want(t, 304, "", "fwd=stale; fwd-status=200")
	eventually(t, "the rest of the answer", func() bool { return s.flights() == 0 })
	s.get("/v1/a", "Range: bytes=-3").want(t, 206, `"2"`, "hit")
	s.pass(2 * time.Minute)
	s.get("/v1/a", "Range: bytes=0-3").want(t, 206, "body", "fwd=stale; fwd-status=304")
	s.wantAsked(4)
}

// TestOnlyIfCached (RFC 9111, section 5.2.1.7).
func TestOnlyIfCached(t *testing.T) {
	s := newStack(t, stackOptions{origin: counting()})
	s.get("/v1/a", "Cache-Control: only-if-cached").want(t, 504, "not-cached\n", "detail=only-if-cached")
	s.wantAsked(0)
	s.get("/v1/a")
	s.get("/v1/a", "Cache-Control: only-if-cached").want(t, 200, "answer 1", "hit")
}

// TestNoCacheIsHeardOnceASecond: callers cannot drive cost, unless a rule lets
// them (SEC-54).
func TestNoCacheIsHeardOnceASecond(t *testing.T) {
	for _, tt := range []struct {
		rule  cache.NoCache
		field string
		asked int64 // after ten in one moment, and one later
		later int64
	}{
		{cache.NoCacheLimit, "Cache-Control: no-cache", 1, 2},
		{cache.NoCacheLimit, "Cache-Control: max-age=0", 1, 2},
		{cache.NoCacheLimit, "Pragma: no-cache", 1, 2},
		{cache.NoCacheObey, "Cache-Control: no-cache", 11, 12},
		{cache.NoCacheIgnore, "Cache-Control: no-cache", 1, 1},
		{cache.NoCacheLimit, "Cache-Control: no-store", 1, 1},
	} {
		t.Run(fmt.Sprintf("%d %s", tt.rule, tt.field), func(t *testing.T) {
			rule := everything()
			rule.NoCache = tt.rule
			s := newStack(t, stackOptions{rule: rule, origin: counting()})
			s.get("/v1/a")
			for range 10 {
				s.get("/v1/a", tt.field)
			}
			s.wantAsked(tt.asked)
			s.pass(2 * time.Second)
			s.get("/v1/a", tt.field)
			s.wantAsked(tt.later)
		})
	}
}
