package cache_test

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"iqgateway/internal/exchange"
)

// sentRequest is what the stages below see of a shared fetch.
type sentRequest struct {
	header   http.Header
	body     string
	exchange exchange.Exchange
}

// TestWhatASharedFetchSends: the caller's place in line, credential and name go
// with it; of the request itself only what the key knows.
func TestWhatASharedFetchSends(t *testing.T) {
	var sent atomic.Pointer[sentRequest]
	rule := everything()
	rule.StaleWhileRevalidate, rule.StaleIfError = time.Minute, time.Hour
	s := newStack(t, stackOptions{
		rule: rule, origin: counting(),
		between: func(r *http.Request) {
			ex := exchange.From(r.Context())
			if ex.Class != "background" {
				ex.CallerRequestID, ex.NoWait = "c", true
			}
		},
		wrap: func(next http.RoundTripper) http.RoundTripper {
			return tripper(func(r *http.Request) (*http.Response, error) {
				seen := &sentRequest{header: r.Header.Clone(), exchange: *exchange.From(r.Context())}
				if r.Body != nil {
					body, err := io.ReadAll(r.Body)
					if err != nil {
						t.Error(err)
					}
					seen.body = string(body)
				}
				sent.Store(seen)
				return next.RoundTrip(r)
			})
		},
	})
	check := func(class, caller string, noWait bool) {
		t.Helper()
		got := sent.Load()
		ex := got.exchange
		if ex.ID != "t" || ex.Caller.Name != caller || ex.Credential != "other" || ex.Class != class || ex.NoWait != noWait || ex.Target == nil {
			t.Errorf("it went with %+v", ex)
		}
		if via, agent := got.header.Get("Via"), got.header.Get("User-Agent"); via != "1.1 iqgateway" || agent != "iqgateway" {
			t.Errorf("it came from %q via %q", agent, via)
		}
		if got.body != "" || got.header.Get("If-None-Match")+got.header.Get("Cookie") != "" {
			t.Errorf("it has what no key has: %q, %v", got.body, got.header)
		}
	}
	ask := func(caller string) got {
		return s.askNode(0, http.MethodGet, "/v1/a", "unkeyed", "X-Class: batch", "X-Credential: other", "X-Caller: "+caller,
			"User-Agent: shop", "Cookie: a=b", `If-None-Match: "1"`)
	}
	ask("one").want(t, 200, "answer 1", "fwd=uri-miss")
	check("batch", "one", true)
	if id := sent.Load().exchange.CallerRequestID; id != "c" {
		t.Errorf("the caller's request is %q", id)
	}
	s.pass(time.Minute + time.Second)
	ask("two").want(t, 200, "answer 1", "hit; ttl=-")
	eventually(t, "the refresh", func() bool { return s.asked.Load() == 2 && !s.nodes[0].cache.Refreshing() })
	check("background", "two", false) // it waits for quota: its caller does not wait for it
}

// TestAReadingPostCanBeSentAgain by the stages below, when they have sent it
// already.
func TestAReadingPostCanBeSentAgain(t *testing.T) {
	s := newStack(t, stackOptions{
		origin: func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			_, _ = w.Write(body)
		},
		wrap: func(next http.RoundTripper) http.RoundTripper {
			return tripper(func(r *http.Request) (*http.Response, error) {
				first, err := next.RoundTrip(r)
				if err != nil {
					return nil, err
				}
				_ = first.Body.Close()
				again := r.Clone(r.Context())
				if again.Body, err = r.GetBody(); err != nil {
					return nil, err
				}
				return next.RoundTrip(again)
			})
		},
	})
	body := `{"ids":["` + strings.Repeat("x", 1000) + `"]}`
	s.askNode(0, http.MethodPost, "/v1/Bulk", body, "X-Reads: yes", "Content-Type: application/json").want(t, 200, body, "fwd=uri-miss")
	s.wantAsked(2)
}
