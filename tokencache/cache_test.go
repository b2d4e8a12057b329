package tokencache

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestOneCallForAHerd(t *testing.T) {
	for name, prepare := range map[string]func(*entry){
		"no token yet":  func(*entry) {},
		"token expired": func(e *entry) { _, _ = acquired(e.acquire(context.Background())); pass(13 * time.Hour) },
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
						tok, err := acquired(e.acquire(t.Context()))
						if err != nil {
							t.Errorf("a caller got no token: %v", err)
							return
						}
						got.Store(tok.generation(), true)
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
		go func() { _, err := acquired(e.acquire(ctx)); left <- err }()
		stayed := make(chan error)
		go func() { _, err := acquired(e.acquire(t.Context())); stayed <- err }()
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
			if _, err := acquired(e.acquire(ctx)); !errors.Is(err, context.DeadlineExceeded) {
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
			got, err := acquired(e.acquire(t.Context()))
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

func TestFetchHooks(t *testing.T) {
	var infos []FetchInfo
	waits := 0
	o := Options{Hooks: Hooks{
		FetchDone: func(i FetchInfo) { infos = append(infos, i) },
		Waited:    func(ID, time.Duration, error) { waits++ },
	}}
	endpoint := &idp{delay: time.Second, answer: always(400, `{"error":"invalid_grant"}`)}
	inBubble(t, o, endpoint, nil, func(t *testing.T, e *entry, _ *Set) {
		_, _ = acquired(e.acquire(t.Context()))
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
		if _, _, _, err := set.acquire(ctx, testCredential(nil).id()); err != nil || seen != "" {
			t.Errorf("error %v, exchange %q", err, seen)
		}
	})
}

// Tokens that end before they come are a failure with a pause after it, not
// one call after the other while callers hang.
func TestTokenThatCameTooLate(t *testing.T) {
	endpoint := &idp{delay: time.Second, answer: func(call int) (int, string) { return 200, tokenBody(call, 1) }}
	inBubble(t, Options{}, endpoint, nil, func(t *testing.T, e *entry, _ *Set) {
		_, err := acquired(e.acquire(t.Context()))
		if _, ok := errors.AsType[*notReadyError](err); !ok || endpoint.count() != 1 {
			t.Errorf("%v after %d calls", err, endpoint.count())
		}
	})
}
