package tokencache_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"iqgateway/internal/exchange"
	"iqgateway/tokencache"
	"iqgateway/tokencache/storetest"
)

// Files that change to and fro between two wrong passwords: each is tried as
// often as if it were alone, however often it comes back.
func TestSecretsThatComeBackAreStillRefused(t *testing.T) {
	for name, onFile := range map[string]bool{"on file": true, "in memory": false} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				endpoint, mount := &accounts{status: http.StatusBadRequest}, &files{}
				f := &fleet{memory: storetest.NewMemory(), endpoint: endpoint}
				f.change = func(o *tokencache.Options, c *tokencache.Credential) {
					reading(mount)(o, c)
					if o.Store = nil; onFile {
						o.Dir = dir
					}
				}
				r := f.start(t, "gw")
				for minute := range 59 {
					mount.set(secretsOf(fmt.Sprint("wrong ", minute%2)), nil)
					for range 6 {
						r.wantProblem(t, exchange.TokenUnavailable)
						pass(10 * time.Second)
					}
					if onFile && minute == 30 { // nor does a restart in between forget them
						r.cache.Close()
						r = f.start(t, "gw")
					}
				}
				r.cache.Close()
				if calls := endpoint.count(); calls > 7 { // and "hidden" once
					t.Errorf("%d attempts within an hour with two passwords", calls)
				}
			})
		})
	}
}

// A store that has lost its state learns of the refusals from the first
// replica that looks, whether it has callers or not: a newcomer does not start
// to count anew.
func TestFlushedRefusals(t *testing.T) {
	for name, idle := range map[string]bool{"of an idle replica": true, "of a busy one": false} {
		t.Run(name, func(t *testing.T) {
			endpoint := &accounts{status: http.StatusBadRequest}
			inFleet(t, endpoint, nil, func(t *testing.T, f *fleet, r [3]*replica) {
				for range 12 * 12 {
					r[0].wantProblem(t, exchange.TokenUnavailable)
					pass(5 * time.Second)
				}
				f.memory.Flush()
				if idle {
					defer runAll(t, r[0])()
				} else {
					r[0].wantProblem(t, exchange.TokenUnavailable)
				}
				pass(6 * time.Second)
				late := f.start(t, "gw-9")
				defer late.cache.Close()
				for range 12 * 40 {
					late.wantProblem(t, exchange.TokenUnavailable)
					pass(5 * time.Second)
				}
				endpoint.wantBound(t, 3)
				// What an operator has forgiven does not come back in this way.
				if !r[1].cache.Retry(t.Context(), "retail") {
					t.Fatal("unknown credential")
				}
				pass(20 * time.Second)
				_, _ = late.send(t.Context())
				if got := late.status(); got.Refusals > 1 || endpoint.count() != 4 {
					t.Errorf("%d refusals after Retry, %d attempts", got.Refusals, endpoint.count())
				}
			})
		})
	}
}

// The store is away in the moment in which a token is accepted. It hears of it
// later: else no replica that comes later could replace the token.
func TestAcceptanceIsToldAgain(t *testing.T) {
	endpoint := &accounts{}
	inFleet(t, endpoint, nil, func(t *testing.T, f *fleet, r [3]*replica) {
		stop := runAll(t, r[0])
		defer stop()
		r[0].store.AwayAfter(2) // claim, grant
		r[0].wantToken(t, "t1")
		pass(time.Minute)
		r[0].store.SetAway(false)
		pass(2 * time.Second)
		told := r[0].store.Calls("accepted")
		pass(time.Minute)
		if again := r[0].store.Calls("accepted"); again != told {
			t.Errorf("told %d times more", again-told)
		}
		defer runAll(t, r[2])()
		r[2].wantToken(t, "t1")
		pass(time.Minute)
		if r[2].store.Calls("accepted") != 0 {
			t.Error("who has it from the store tells the store")
		}
		endpoint.ends("Bearer t1")
		r[1].wantToken(t, "t2")
	})
}

// A mount that hangs costs no caller the token.
func TestHangingMount(t *testing.T) {
	endpoint := &accounts{}
	back := make(chan struct{})
	reads := 0
	hang := func(_ *tokencache.Options, c *tokencache.Credential) {
		c.Reread = func(context.Context) (tokencache.Secrets, error) { reads++; <-back; return secretsOf("new"), nil }
	}
	synctest.Test(t, func(t *testing.T) {
		back = make(chan struct{})
		f := &fleet{memory: storetest.NewMemory(), endpoint: endpoint, change: hang}
		r := f.start(t, "gw")
		stop := runAll(t, r)
		if _, longest := herd(t, 10, r); longest > 2*time.Second {
			t.Errorf("waited %s", longest)
		}
		pass(time.Minute)
		if reads != 1 || r.hooks.of("reread: the secrets cannot be read in time") != 1 {
			t.Errorf("%d readings at once", reads)
		}
		close(back)
		pass(10 * time.Second)
		if endpoint.count() != 2 || endpoint.calls[1].Get("password") != "new" {
			t.Errorf("%d calls", endpoint.count())
		}
		stop()
		r.cache.Close()
	})
}

// A hook that panics ends neither the process nor the claim of the fleet.
func TestPanickingHooks(t *testing.T) {
	for name, breakIt := range map[string]func(*tokencache.Hooks){
		"fetch done": func(h *tokencache.Hooks) { h.FetchDone = func(tokencache.FetchInfo) { panic("boom") } },
		"adopted":    func(h *tokencache.Hooks) { h.Adopted = func(tokencache.AdoptInfo) { panic("boom") } },
		"rolled back": func(h *tokencache.Hooks) {
			h.RolledBack = func(tokencache.RollbackInfo) { panic("boom") }
		},
	} {
		t.Run(name, func(t *testing.T) {
			endpoint := &accounts{}
			change := func(o *tokencache.Options, _ *tokencache.Credential) {
				if o.Replica == "gw-0" {
					breakIt(&o.Hooks)
				}
			}
			inFleet(t, endpoint, change, func(t *testing.T, f *fleet, r [3]*replica) {
				r[0].wantToken(t, "t1")
				pass(11*time.Hour + 51*time.Minute)
				r[1].wantToken(t, "t1")
				synctest.Wait()
				_, _ = r[1].send(t.Context()) // renews, if the first has not
				pass(time.Second)
				f.memory.Flush()
				r[2].wantToken(t, "t3")
				for range 10 { // gw-0 meets the others' tokens
					_, _ = r[0].send(t.Context())
					pass(time.Second)
				}
				pass(13 * time.Hour)
				before := endpoint.count()
				if _, longest := herd(t, 3, r[1], r[2]); longest > time.Second || endpoint.count() != before+1 {
					t.Errorf("waited %s for a claim that is lost; %d calls", longest, endpoint.count()-before)
				}
			})
		})
	}
}

// A configuration is loaded again with a new password, which is wrong: the
// token of the old one serves for as long as it lasts.
func TestReloadWithWrongSecrets(t *testing.T) {
	endpoint := &accounts{}
	inFleet(t, endpoint, nil, func(t *testing.T, _ *fleet, r [3]*replica) {
		stop := runAll(t, r[0])
		defer stop()
		r[0].wantToken(t, "t1")
		reload := func(password string) {
			t.Helper()
			cred := credential(endpoint)
			cred.Secrets = secretsOf(password)
			next, err := r[0].cache.Use([]tokencache.Credential{cred})
			if err != nil {
				t.Fatal(err)
			}
			r[0].set.Release()
			r[0].set, r[0].stage = next, next.Stage(stageOptions())(tripper(endpoint.api))
		}
		endpoint.answers(http.StatusBadRequest)
		reload("wrong")
		for range 100 {
			r[0].wantToken(t, "t1")
			pass(time.Second)
		}
		if got := r[0].status(); got.State != tokencache.StateRefused || endpoint.count() != 3 {
			t.Errorf("%+v after %d calls", got, endpoint.count())
		}
		endpoint.answers(0)
		reload("right")
		r[0].wantToken(t, "t1")
		pass(2 * time.Second)
		r[0].wantToken(t, "t4")
	})
}

// New secrets have no refresh token: that of the old ones is not theirs.
func TestRotatedSecretsLogIn(t *testing.T) {
	endpoint, mount := &accounts{}, &files{}
	change := func(o *tokencache.Options, c *tokencache.Credential) {
		withRefreshGrant(o, c)
		reading(mount)(o, c)
	}
	inFleet(t, endpoint, change, func(t *testing.T, _ *fleet, r [3]*replica) {
		stop := runAll(t, r[0])
		defer stop()
		r[0].wantToken(t, "t1")
		mount.set(secretsOf("new"), nil)
		pass(10 * time.Second)
		r[0].wantToken(t, "t2")
		if got := endpoint.calls[1]; got.Get("grant_type") != "password" || got.Get("password") != "new" {
			t.Errorf("logged in with %s", got.Get("grant_type"))
		}
	})
}

// Callers of a barred credential do not make it look around each time.
func TestLooksAreRare(t *testing.T) {
	endpoint, mount := &accounts{status: http.StatusBadRequest}, &files{}
	inFleet(t, endpoint, reading(mount), func(t *testing.T, _ *fleet, r [3]*replica) {
		for range 300 {
			r[0].wantProblem(t, exchange.TokenUnavailable)
			pass(100 * time.Millisecond)
		}
		if claims := r[0].store.Calls("claim"); claims > 8 || mount.reads > 8 {
			t.Errorf("%d claims and %d readings in 30 seconds", claims, mount.reads)
		}
	})
}

// Nor do the 401s of a token that is to be kept.
func TestVerdictsHold(t *testing.T) {
	endpoint := &accounts{}
	inFleet(t, endpoint, nil, func(t *testing.T, _ *fleet, r [3]*replica) {
		r[0].stage = r[0].set.Stage(stageOptions())(tripper(deny))
		for range 300 {
			r[0].wantProblem(t, exchange.UpstreamCredentialRejected)
			pass(10 * time.Millisecond)
		}
		if claims := r[0].store.Calls("claim"); claims > 5 || endpoint.count() != 1 {
			t.Errorf("%d claims in three seconds, %d calls", claims, endpoint.count())
		}
	})
}

// A fetch does not wait for the sharing of the token before.
func TestSharingMakesWay(t *testing.T) {
	endpoint := &accounts{}
	inFleet(t, endpoint, nil, func(t *testing.T, _ *fleet, r [3]*replica) {
		r[0].store.AwayAfter(1) // the claim goes through
		r[0].wantToken(t, "t1")
		pass(4 * time.Second)
		r[0].cache.Invalidate(t.Context(), "retail")
		if _, longest := herd(t, 1, r[0]); longest > 400*time.Millisecond {
			t.Errorf("waited %s", longest)
		}
	})
}

// A token that an operator has dropped before the fleet heard of it is not
// shared afterwards.
func TestDroppedTokenIsNotShared(t *testing.T) {
	endpoint := &accounts{}
	inFleet(t, endpoint, nil, func(t *testing.T, _ *fleet, r [3]*replica) {
		r[0].store.AwayAfter(1) // the claim goes through
		r[0].wantToken(t, "t1")
		pass(time.Second)
		r[0].cache.Invalidate(t.Context(), "retail")
		r[0].store.SetAway(false)
		pass(time.Minute)
		r[1].wantToken(t, "t2")
		r[0].wantToken(t, "t2")
	})
}

// An operator speaks right after a restart, before what is on file was read:
// that is forgiven, too, and does not come back with the next restart.
func TestRetryAfterARestart(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		endpoint := &accounts{status: http.StatusBadRequest}
		f := &fleet{memory: storetest.NewMemory(), endpoint: endpoint}
		f.change = func(o *tokencache.Options, _ *tokencache.Credential) { o.Store, o.Dir = nil, dir }
		first := f.start(t, "gw")
		for range 20 {
			first.wantProblem(t, exchange.TokenUnavailable)
			pass(time.Minute)
		}
		first.cache.Close()
		second := f.start(t, "gw")
		second.cache.Retry(t.Context(), "retail")
		second.cache.Close()
		endpoint.answers(0)
		third := f.start(t, "gw")
		defer third.cache.Close()
		third.wantToken(t, "t4")
	})
}

// A reload comes before the rotation of the entry in use: both configurations
// serve one token, and the end of the old one takes nothing from the new.
func TestRotationMeetsAReload(t *testing.T) {
	endpoint, mount := &accounts{}, &files{}
	inFleet(t, endpoint, reading(mount), func(t *testing.T, _ *fleet, r [3]*replica) {
		one := r[0]
		one.wantToken(t, "t1")
		mount.set(secretsOf("new"), nil)
		use := func() (*tokencache.Set, http.RoundTripper) {
			cred := credential(endpoint)
			cred.Secrets, cred.Reread = secretsOf("new"), mount.read
			next, err := one.cache.Use([]tokencache.Credential{cred})
			if err != nil {
				t.Fatal(err)
			}
			return next, next.Stage(stageOptions())(tripper(endpoint.api))
		}
		stop := runAll(t, one)
		defer stop()
		next, stage := use()
		pass(10 * time.Second)
		one.wantToken(t, "t2") // the old configuration
		one.set.Release()
		one.set, one.stage = use()
		one.wantToken(t, "t2")
		one.set.Release()
		one.set, one.stage = next, stage
		one.wantToken(t, "t2")
		if endpoint.count() != 2 {
			t.Errorf("%d calls", endpoint.count())
		}
	})
}
