package tokencache

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"iqgateway/internal/secret"
)

// The endpoint is gone for the last ten minutes of a token and five more.
func TestEndpointDown(t *testing.T) {
	for name, broken := range map[string]func(int) (int, string){
		"500": always(500, "oops"), "HTML": always(200, "<html>"), "refused connections": always(0, ""), "429": always(429, ""),
	} {
		t.Run(name, func(t *testing.T) {
			endpoint := &idp{}
			inBubble(t, Options{}, endpoint, nil, func(t *testing.T, e *entry, s *Set) {
				wantToken(t, e, 1)
				endpoint.behave(broken)
				pass(11*time.Hour + 50*time.Minute)
				for range 9 * 60 {
					wantToken(t, e, 1)
					pass(time.Second)
				}
				if calls := endpoint.count() - 1; calls < 9 || calls > 20 {
					t.Errorf("%d attempts in nine minutes with a valid token", calls)
				}
				if got := s.Status()[0]; got.State != StateFailing || got.LastError == "" || got.NextAttempt.IsZero() {
					t.Errorf("status %+v", got)
				}
				pass(time.Minute) // the token has expired
				for range 60 {
					_, err := acquired(e.acquire(t.Context()))
					wait, ok := errors.AsType[*notReadyError](err)
					if !ok || wait.retryAfter <= 0 || wait.retryAfter > time.Second {
						t.Fatalf("without a token: %v", err)
					}
					checkClean(t, "the error", err.Error())
					pass(100 * time.Millisecond)
				}
				endpoint.behave(nil)
				pass(time.Second)
				wantToken(t, e, 2)
				if got := s.Status()[0]; got.State != StateValid || got.LastError != "" {
					t.Errorf("status %+v", got)
				}
			})
		})
	}
}

func TestSilentEndpoint(t *testing.T) {
	endpoint := &idp{delay: time.Hour}
	inBubble(t, Options{FetchTimeout: 3 * time.Second}, endpoint, nil, func(t *testing.T, e *entry, _ *Set) {
		since := time.Now()
		_, err := acquired(e.acquire(t.Context()))
		if time.Since(since) != 3*time.Second || err == nil {
			t.Errorf("after %s: %v", time.Since(since), err)
		}
	})
}

// Callers ask every second for five hours. Six attempts are made, and no more
// until an operator says so.
func TestWrongPasswordStopsEarly(t *testing.T) {
	for name, answer := range map[string]func(int) (int, string){
		"invalid_grant":  always(400, `{"error":"invalid_grant"}`),
		"invalid_client": always(400, `{"error":"invalid_client"}`),
		"plain 400":      always(400, "Bad Request"),
		"401":            always(401, "who are you"),
		"error in a 200": always(200, `{"error":"invalid_grant"}`),
	} {
		t.Run(name, func(t *testing.T) {
			endpoint := &idp{answer: answer}
			inBubble(t, Options{}, endpoint, nil, func(t *testing.T, e *entry, s *Set) {
				for range 18000 {
					if _, err := acquired(e.acquire(t.Context())); err == nil {
						t.Fatal("a token")
					}
					<-time.After(time.Second)
				}
				for i, at := range endpoint.times {
					if i >= 3 && at.Sub(endpoint.times[i-3]) < time.Hour {
						t.Fatalf("four attempts within %s", at.Sub(endpoint.times[i-3]))
					}
				}
				if n := len(endpoint.times); n != 6 {
					t.Errorf("%d attempts", n)
				}
				if got := s.Status()[0]; got.State != StateStopped || got.Refusals != 6 || !got.NextAttempt.IsZero() {
					t.Errorf("status %+v", got)
				}
				if e.cache.Retry(t.Context(), "another") || !e.cache.Retry(t.Context(), "production/retail") {
					t.Error("Retry knows another credential than ours")
				}
				for range 59 {
					_, _ = acquired(e.acquire(t.Context()))
					<-time.After(time.Second)
				}
				if n := len(endpoint.times); n != 7 {
					t.Errorf("%d attempts within a minute of Retry", n-6)
				}
				if got := s.Status()[0]; got.State != StateRefused || got.Refusals != 1 || !got.NextAttempt.After(time.Now()) {
					t.Errorf("status %+v", got)
				}
			})
		})
	}
}

// A new password in the file is used within seconds, although the old one is
// barred for an hour.
func TestNewSecretsEndTheBar(t *testing.T) {
	var mu sync.Mutex
	secrets, rereadErr := testSecrets(), error(nil)
	set := func(s Secrets, err error) { mu.Lock(); defer mu.Unlock(); secrets, rereadErr = s, err }
	endpoint := &idp{answer: always(400, `{"error":"invalid_grant"}`)}
	var complaints atomic.Int32
	o := Options{Hooks: Hooks{RereadFailed: func(ID, error) { complaints.Add(1) }}}
	reread := func(c *Credential) {
		c.Reread = func(context.Context) (Secrets, error) { mu.Lock(); defer mu.Unlock(); return secrets, rereadErr }
	}
	inBubble(t, o, endpoint, reread, func(t *testing.T, e *entry, _ *Set) {
		for range 20 * 60 {
			_, _ = acquired(e.acquire(t.Context()))
			pass(time.Second)
		}
		if endpoint.count() != 3 || complaints.Load() != 0 {
			t.Fatalf("%d calls, %d complaints", endpoint.count(), complaints.Load())
		}
		set(Secrets{}, nil) // an empty file is no new password
		_, _ = acquired(e.acquire(t.Context()))
		pass(10 * time.Second)
		set(testSecrets(), errors.New("no such file"))
		_, _ = acquired(e.acquire(t.Context()))
		pass(10 * time.Second)
		if endpoint.count() != 3 || complaints.Load() != 2 {
			t.Fatalf("%d calls, %d complaints", endpoint.count(), complaints.Load())
		}
		fresh := testSecrets()
		fresh.Password = secret.New("correct horse")
		set(fresh, nil)
		endpoint.behave(nil)
		wantToken(t, e, 1)
		if got := endpoint.calls[3].Get("password"); got != "correct horse" {
			t.Errorf("logged in with %q", got)
		}
	})
}

// A panic in a fetch fails that fetch, not the process, and the next goes on.
func TestPanicIsAFailedFetch(t *testing.T) {
	calls := 0
	var value any
	o := Options{Hooks: Hooks{Panicked: func(_ ID, v any, stack []byte) {
		if len(stack) > 0 {
			value = v
		}
	}}}
	flaky := func(c *Credential) {
		good := c.Transport
		c.Transport = tripper(func(r *http.Request) (*http.Response, error) {
			calls++
			if calls == 1 {
				panic("boom")
			}
			return good.RoundTrip(r)
		})
	}
	inBubble(t, o, &idp{}, flaky, func(t *testing.T, e *entry, _ *Set) {
		if _, err := acquired(e.acquire(t.Context())); err == nil || value != "boom" {
			t.Fatalf("%v, panic value %v", err, value)
		}
		pass(time.Second)
		wantToken(t, e, 1)
	})
}
