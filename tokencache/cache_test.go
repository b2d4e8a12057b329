package tokencache

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"iqgateway/internal/secret"
)

func TestOneCallForAHerd(t *testing.T) {
	for name, prepare := range map[string]func(*entry){
		"no token yet":  func(*entry) {},
		"token expired": func(e *entry) { _, _ = e.acquire(context.Background()); pass(13 * time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			endpoint := &idp{delay: 2 * time.Second}
			inBubble(t, Options{}, endpoint, nil, func(t *testing.T, e *entry, _ *Set) {
				prepare(e)
				before, since := endpoint.count(), time.Now()
				var got sync.Map
				var callers sync.WaitGroup
				for range 200 {
					callers.Go(func() {
						tok, err := e.acquire(t.Context())
						if err != nil {
							t.Errorf("a caller got no token: %v", err)
							return
						}
						got.Store(tok.generation, true)
					})
				}
				callers.Wait()
				generations := 0
				got.Range(func(any, any) bool { generations++; return true })
				if calls := endpoint.count() - before; calls != 1 || generations != 1 {
					t.Errorf("%d calls, %d generations", calls, generations)
				}
				if waited := time.Since(since); waited > 2*time.Second+100*time.Millisecond {
					t.Errorf("waited %s", waited)
				}
			})
		})
	}
}

// One caller's leaving ends its own wait at once and nothing else.
func TestLeavingCallerFailsNobody(t *testing.T) {
	endpoint := &idp{delay: 2 * time.Second}
	inBubble(t, Options{}, endpoint, nil, func(t *testing.T, e *entry, _ *Set) {
		ctx, leave := context.WithCancel(t.Context())
		left := make(chan error)
		go func() { _, err := e.acquire(ctx); left <- err }()
		stayed := make(chan error)
		go func() { _, err := e.acquire(t.Context()); stayed <- err }()
		pass(time.Millisecond)
		leave()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Errorf("the leaver got %v", err)
		}
		if err := <-stayed; err != nil {
			t.Errorf("who stayed got %v", err)
		}
		if endpoint.count() != 1 {
			t.Errorf("%d calls", endpoint.count())
		}
	})
}

func TestAllCallersLeave(t *testing.T) {
	endpoint := &idp{delay: 2 * time.Second}
	inBubble(t, Options{}, endpoint, nil, func(t *testing.T, e *entry, _ *Set) {
		for range 1000 {
			ctx, leave := context.WithTimeout(t.Context(), time.Millisecond)
			if _, err := e.acquire(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("got %v", err)
			}
			leave()
		}
		pass(time.Second + time.Millisecond)
		wantToken(t, e, 1) // the one fetch went on without them
		if endpoint.count() != 1 {
			t.Errorf("%d calls", endpoint.count())
		}
	})
}

func TestRenewedAheadWhileTheOldTokenServes(t *testing.T) {
	endpoint := &idp{delay: 5 * time.Second}
	var reasons []Reason
	o := Options{Hooks: Hooks{FetchDone: func(i FetchInfo) { reasons = append(reasons, i.Reason) }}}
	inBubble(t, o, endpoint, nil, func(t *testing.T, e *entry, _ *Set) {
		wantToken(t, e, 1)
		pass(11*time.Hour + 49*time.Minute)
		wantToken(t, e, 1)
		if endpoint.count() != 1 {
			t.Fatalf("renewed too early")
		}
		pass(time.Minute)
		since := time.Now()
		for range 100 {
			wantToken(t, e, 1) // at once, although a renewal is under way
		}
		if time.Since(since) != 0 {
			t.Error("a caller waited for a renewal")
		}
		pass(6 * time.Second)
		wantToken(t, e, 2)
		if endpoint.count() != 2 || len(reasons) != 2 || reasons[0] != ReasonFirst || reasons[1] != ReasonAhead {
			t.Errorf("%d calls, reasons %v", endpoint.count(), reasons)
		}
	})
}

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
					_, err := e.acquire(t.Context())
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
		_, err := e.acquire(t.Context())
		if time.Since(since) != 3*time.Second || err == nil {
			t.Errorf("after %s: %v", time.Since(since), err)
		}
	})
}

// Callers ask every second for two and a half hours.
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
				for range 9000 {
					if _, err := e.acquire(t.Context()); err == nil {
						t.Fatal("a token")
					}
					<-time.After(time.Second)
				}
				for i, at := range endpoint.times {
					if i >= 3 && at.Sub(endpoint.times[i-3]) < time.Hour {
						t.Fatalf("four attempts within %s", at.Sub(endpoint.times[i-3]))
					}
				}
				if n := len(endpoint.times); n < 7 {
					t.Errorf("only %d attempts", n)
				}
				if got := s.Status()[0]; got.State != StateRefused || got.Refusals != 3 || !got.NextAttempt.After(time.Now()) {
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
			_, _ = e.acquire(t.Context())
			pass(time.Second)
		}
		if endpoint.count() != 3 || complaints.Load() != 0 {
			t.Fatalf("%d calls, %d complaints", endpoint.count(), complaints.Load())
		}
		set(Secrets{}, nil) // an empty file is no new password
		_, _ = e.acquire(t.Context())
		pass(10 * time.Second)
		set(testSecrets(), errors.New("no such file"))
		_, _ = e.acquire(t.Context())
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

func TestReplace(t *testing.T) {
	endpoint := &idp{delay: time.Second}
	inBubble(t, Options{}, endpoint, nil, func(t *testing.T, e *entry, _ *Set) {
		replace := func(generation, want uint64, calls int) {
			t.Helper()
			got, err := e.replace(t.Context(), generation)
			switch {
			case want == 0 && !errors.Is(err, errRejected):
				t.Errorf("replacing %d: %v", generation, err)
			case want != 0 && (err != nil || got.generation != want):
				t.Errorf("replacing %d: %v, want %d", generation, err, want)
			}
			if endpoint.count() != calls {
				t.Errorf("replacing %d: %d calls, want %d", generation, endpoint.count(), calls)
			}
		}
		wantToken(t, e, 1)
		replace(1, 2, 2) // the current one
		replace(1, 2, 2) // a late 401 of the one before
		replace(0, 2, 2) // an attempt that carried none
		replace(2, 0, 2) // again, too soon
		pass(29 * time.Second)
		replace(2, 0, 2)
		pass(time.Second)
		replace(2, 3, 3)
		replace(1, 3, 3)
	})
}

func TestReplaceHerd(t *testing.T) {
	endpoint := &idp{delay: time.Second}
	inBubble(t, Options{}, endpoint, nil, func(t *testing.T, e *entry, _ *Set) {
		wantToken(t, e, 1)
		var callers sync.WaitGroup
		for range 200 {
			callers.Go(func() {
				if got, err := e.replace(t.Context(), 1); err != nil || got.generation != 2 {
					t.Errorf("%+v, %v", got, err)
				}
			})
		}
		callers.Wait()
		if endpoint.count() != 2 {
			t.Errorf("%d calls", endpoint.count())
		}
	})
}

// While a replacement cannot be had, the refused token still serves those whom
// other services would accept it from.
func TestFailedReplacementKeepsTheToken(t *testing.T) {
	endpoint := &idp{}
	inBubble(t, Options{}, endpoint, nil, func(t *testing.T, e *entry, _ *Set) {
		wantToken(t, e, 1)
		endpoint.behave(always(503, ""))
		if _, err := e.replace(t.Context(), 1); err == nil || errors.Is(err, errRejected) {
			t.Errorf("replaced by a dead endpoint: %v", err)
		}
		wantToken(t, e, 1)
		endpoint.behave(nil)
		pass(time.Second)
		if got, err := e.replace(t.Context(), 1); err != nil || got.generation != 2 {
			t.Errorf("after recovery: %+v, %v", got, err)
		}
	})
}

func TestGrants(t *testing.T) {
	cases := map[Grant][2]string{ // first and second call
		GrantPassword:          {"password", "password"},
		GrantRefreshToken:      {"password", "refresh_token"},
		GrantClientCredentials: {"client_credentials", "client_credentials"},
	}
	for grant, want := range cases {
		t.Run(string(grant), func(t *testing.T) {
			endpoint := &idp{}
			inBubble(t, Options{}, endpoint, func(c *Credential) { c.Grant = grant }, func(t *testing.T, e *entry, _ *Set) {
				wantToken(t, e, 1)
				pass(13 * time.Hour)
				wantToken(t, e, 2)
				for i, form := range endpoint.calls {
					if form.Get("grant_type") != want[i] || form.Get("client_id") != "client" || form.Get("client_secret") != canarySecret {
						t.Errorf("call %d: %v", i+1, form)
					}
					if sent := form.Get("password") != ""; sent != (want[i] == "password") {
						t.Errorf("call %d: password sent: %t", i+1, sent)
					}
				}
				if want[1] == "refresh_token" && endpoint.calls[1].Get("refresh_token") != canaryRefresh+"-1" {
					t.Errorf("refreshed with %q", endpoint.calls[1].Get("refresh_token"))
				}
				if kept := !e.current.Load().refresh.IsZero(); kept != (grant == GrantRefreshToken) {
					t.Errorf("refresh token kept: %t", kept)
				}
			})
		})
	}
}

// A refresh token that has become useless is no reason to be without a token,
// nor does its refusal count against the password.
func TestRefusedRefreshFallsBack(t *testing.T) {
	endpoint := &idp{}
	inBubble(t, Options{}, endpoint, func(c *Credential) { c.Grant = GrantRefreshToken }, func(t *testing.T, e *entry, s *Set) {
		wantToken(t, e, 1)
		pass(13 * time.Hour)
		endpoint.behave(func(call int) (int, string) {
			if call == 2 {
				return 400, `{"error":"invalid_grant"}`
			}
			return 200, tokenBody(call, 43199)
		})
		wantToken(t, e, 2)
		if endpoint.calls[1].Get("grant_type") != "refresh_token" || endpoint.calls[2].Get("grant_type") != "password" {
			t.Errorf("calls %v", endpoint.calls)
		}
		if got := s.Status()[0]; got.Refusals != 0 {
			t.Errorf("status %+v", got)
		}
	})
}

func TestShortLivedTokens(t *testing.T) {
	endpoint := &idp{answer: func(call int) (int, string) { return 200, tokenBody(call, 1) }}
	inBubble(t, Options{}, endpoint, nil, func(t *testing.T, e *entry, _ *Set) {
		for range 100 {
			got, err := e.acquire(t.Context())
			if err != nil || !got.usable(time.Now()) {
				t.Fatalf("%+v, %v", got, err)
			}
			pass(100 * time.Millisecond)
		}
		if calls := endpoint.count(); calls > 25 {
			t.Errorf("%d calls in ten seconds for tokens of one second", calls)
		}
	})
}

func TestReloadKeepsTheToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		endpoint := &idp{}
		cache := New(Options{})
		defer cache.Close()
		use := func(change func(*Credential)) *Set {
			t.Helper()
			cred := testCredential(endpoint)
			change(&cred)
			set, err := cache.Use([]Credential{cred})
			if err != nil {
				t.Fatal(err)
			}
			return set
		}
		id := testCredential(nil).id()
		first := use(func(*Credential) {})
		wantToken(t, first.entries[id], 1)
		second := use(func(c *Credential) { c.RefreshAhead = time.Hour })
		first.Release()
		first.Release() // harmless
		wantToken(t, second.entries[id], 1)
		if endpoint.count() != 1 {
			t.Errorf("%d calls: the token did not survive", endpoint.count())
		}
		third := use(func(c *Credential) { c.Secrets.Password = secret.New("another") })
		wantToken(t, third.entries[id], 1)
		if endpoint.count() != 2 {
			t.Errorf("%d calls: another password shares the token", endpoint.count())
		}
		second.Release()
		third.Release()
		if len(cache.entries) != 0 {
			t.Errorf("%d credentials left", len(cache.entries))
		}
		wantToken(t, third.entries[id], 1) // still valid for requests on their way
	})
}

func TestReleaseDuringFetch(t *testing.T) {
	for name, end := range map[string]func(*Cache, *Set){
		"released": func(_ *Cache, s *Set) { s.Release() },
		"closed":   func(c *Cache, _ *Set) { c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			endpoint := &idp{delay: 5 * time.Second}
			inBubble(t, Options{}, endpoint, nil, func(t *testing.T, e *entry, s *Set) {
				got := make(chan error)
				go func() { _, err := e.acquire(t.Context()); got <- err }()
				pass(time.Millisecond)
				since := time.Now()
				end(e.cache, s)
				if err := <-got; err == nil || time.Since(since) != 0 {
					t.Errorf("after %s: %v", time.Since(since), err)
				}
				if _, err := e.acquire(t.Context()); err == nil || endpoint.count() != 1 {
					t.Errorf("%v after %d calls", err, endpoint.count())
				}
			})
		})
	}
}

func TestUseAfterClose(t *testing.T) {
	endpoint := &idp{}
	cache := New(Options{})
	cache.Close()
	set, err := cache.Use([]Credential{testCredential(endpoint)})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = set.acquire(t.Context(), testCredential(nil).id())
	if !errors.Is(err, errRetired) || endpoint.count() != 0 {
		t.Errorf("%v after %d calls", err, endpoint.count())
	}
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
		c.Reread = func(context.Context) (Secrets, error) {
			calls++
			if calls == 1 {
				panic("boom")
			}
			return testSecrets(), nil
		}
	}
	inBubble(t, o, &idp{}, flaky, func(t *testing.T, e *entry, _ *Set) {
		if _, err := e.acquire(t.Context()); err == nil || value != "boom" {
			t.Fatalf("%v, panic value %v", err, value)
		}
		pass(time.Second)
		wantToken(t, e, 1)
	})
}

func TestFetchHooks(t *testing.T) {
	var infos []FetchInfo
	waits := 0
	o := Options{Hooks: Hooks{
		FetchDone: func(i FetchInfo) { infos = append(infos, i) },
		Waited:    func(ID, time.Duration, error) { waits++ },
	}}
	endpoint := &idp{delay: time.Second, answer: always(400, `{"error":"invalid_grant"}`)}
	inBubble(t, o, endpoint, nil, func(t *testing.T, e *entry, _ *Set) {
		_, _ = e.acquire(t.Context())
		pass(time.Minute)
		endpoint.behave(nil)
		wantToken(t, e, 1)
		wantToken(t, e, 1)
		synctest.Wait()
		if len(infos) != 2 || waits != 2 {
			t.Fatalf("%d fetches, %d waits", len(infos), waits)
		}
		if i := infos[0]; i.Outcome != OutcomeRefused || i.Err == nil || i.Duration != time.Second || i.ID.String() != "production/retail" {
			t.Errorf("first %+v", i)
		}
		if i := infos[1]; i.Outcome != OutcomeGranted || i.Err != nil || i.Generation != 1 || time.Until(i.Expires) < 11*time.Hour {
			t.Errorf("second %+v", i)
		}
	})
}

func TestStatusBeforeAnyRequest(t *testing.T) {
	cache := New(Options{})
	b, a := testCredential(nil), testCredential(nil)
	b.Name, a.Environment = "zeta", "alpha"
	set, err := cache.Use([]Credential{b, testCredential(nil), a})
	if err != nil {
		t.Fatal(err)
	}
	got := set.Status()
	for i, want := range []string{"alpha/retail", "production/retail", "production/zeta"} {
		if name := got[i].Environment + "/" + got[i].Credential; name != want || got[i].State != StateNone || got[i].Grant != GrantPassword {
			t.Errorf("status %+v, want %s", got[i], want)
		}
	}
}

// The fetch belongs to nobody: it must not see the exchange of the caller that
// happened to need it first.
func TestFetchHasNoExchange(t *testing.T) {
	var seen string
	probe := tripper(func(r *http.Request) (*http.Response, error) {
		seen = exchangeID(r.Context())
		return response(r, 200, tokenBody(1, 43199)), nil
	})
	synctest.Test(t, func(t *testing.T) {
		cache := New(Options{})
		defer cache.Close()
		set, err := cache.Use([]Credential{testCredential(probe)})
		if err != nil {
			t.Fatal(err)
		}
		ctx := withExchangeID(t.Context(), "r-1")
		if _, _, err := set.acquire(ctx, testCredential(nil).id()); err != nil || seen != "" {
			t.Errorf("error %v, exchange %q", err, seen)
		}
	})
}
