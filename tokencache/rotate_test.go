package tokencache_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"iqgateway/internal/exchange"
	"iqgateway/tokencache"
)

// files stands for secret files.
type files struct {
	mu      sync.Mutex
	secrets tokencache.Secrets
	err     error
	torn    []tokencache.Secrets // what is read before
	reads   int
}

func (f *files) read(context.Context) (tokencache.Secrets, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reads++
	if len(f.torn) > 0 {
		first := f.torn[0]
		f.torn = f.torn[1:]
		return first, nil
	}
	return f.secrets, f.err
}

func (f *files) set(s tokencache.Secrets, err error, torn ...tokencache.Secrets) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.secrets, f.err, f.torn = s, err, torn
}

func reading(f *files) func(*tokencache.Options, *tokencache.Credential) {
	f.set(secretsOf("hidden"), nil)
	return func(_ *tokencache.Options, c *tokencache.Credential) { c.Reread = f.read }
}

// New secrets are in use within ten seconds, while the old token serves.
func TestSecretsRotate(t *testing.T) {
	endpoint, mount := &accounts{delay: 2 * time.Second}, &files{}
	inFleet(t, endpoint, reading(mount), func(t *testing.T, f *fleet, r [3]*replica) {
		stop := runAll(t, r[:]...)
		defer stop()
		herd(t, 3, r[:]...)
		pass(time.Minute)
		half := secretsOf("correct horse")
		half.Username = secretsOf("").ClientID // one file is new, the other not yet
		mount.set(secretsOf("correct horse"), nil, half, half)
		for range 10 {
			if _, longest := herd(t, 3, r[:]...); longest != 0 {
				t.Errorf("a caller waited %s", longest)
			}
			pass(time.Second)
		}
		used, _ := herd(t, 3, r[:]...)
		if used["t2"] != 9 || endpoint.count() != 2 || endpoint.calls[1].Get("password") != "correct horse" || endpoint.calls[1].Get("username") != "user" {
			t.Errorf("tokens %v after %d calls", used, endpoint.count())
		}
		if len(f.memory.Keys()) != 2 {
			t.Errorf("%d keys: old and new secrets share their state", len(f.memory.Keys()))
		}
		// The configuration is loaded again with the new secrets: nothing is fetched.
		cred := credential(endpoint)
		cred.Secrets, cred.Reread = secretsOf("correct horse"), mount.read
		next, err := r[0].cache.Use([]tokencache.Credential{cred})
		if err != nil {
			t.Fatal(err)
		}
		r[0].set.Release()
		r[0].set, r[0].stage = next, next.Stage(stageOptions())(tripper(endpoint.api))
		r[0].wantToken(t, "t2")
		if endpoint.count() != 2 || r[0].hooks.of("rotated") != 1 {
			t.Errorf("%d calls, rotated %d times", endpoint.count(), r[0].hooks.of("rotated"))
		}
	})
}

// A reload that has read the old files a moment before they changed meets the
// rotation of the entry in use.
func TestReloadWithOldSecretsAfterRotation(t *testing.T) {
	endpoint, mount := &accounts{}, &files{}
	inFleet(t, endpoint, reading(mount), func(t *testing.T, _ *fleet, r [3]*replica) {
		stop := runAll(t, r[0])
		defer stop()
		r[0].wantToken(t, "t1")
		mount.set(secretsOf("new"), nil)
		pass(10 * time.Second)
		r[0].wantToken(t, "t2")
		cred := credential(endpoint)
		cred.Reread = mount.read
		next, err := r[0].cache.Use([]tokencache.Credential{cred})
		if err != nil {
			t.Fatal(err)
		}
		r[0].set.Release()
		r[0].set, r[0].stage = next, next.Stage(stageOptions())(tripper(endpoint.api))
		r[0].wantToken(t, "t2")
		pass(time.Minute)
		r[0].wantToken(t, "t2")
		if endpoint.count() != 2 || r[0].hooks.of("rotated") != 1 {
			t.Errorf("%d calls, rotated %d times", endpoint.count(), r[0].hooks.of("rotated"))
		}
	})
}

// New secrets that are refused leave the old token to its natural end.
func TestRefusedNewSecrets(t *testing.T) {
	endpoint, mount := &accounts{}, &files{}
	inFleet(t, endpoint, reading(mount), func(t *testing.T, _ *fleet, r [3]*replica) {
		stop := runAll(t, r[:]...)
		defer stop()
		herd(t, 1, r[:]...)
		endpoint.answers(http.StatusBadRequest)
		mount.set(secretsOf("wrong"), nil)
		for range 6 * 61 {
			herd(t, 1, r[:]...)
			pass(10 * time.Second)
		}
		endpoint.mu.Lock()
		endpoint.times = endpoint.times[1:]
		endpoint.mu.Unlock()
		endpoint.wantBound(t, 4) // at 0, 1, 11 and 60 minutes
		if got := r[0].status(); got.State != tokencache.StateRefused || got.Generation != 1 {
			t.Errorf("%+v", got)
		}
		pass(11 * time.Hour)
		r[0].wantProblem(t, exchange.TokenUnavailable)
		// The right ones end it at once, whatever was refused.
		endpoint.answers(0)
		mount.set(secretsOf("right"), nil)
		pass(10 * time.Second)
		if used, longest := herd(t, 1, r[:]...); len(used) != 1 || longest != 0 {
			t.Errorf("tokens %v, waited %s", used, longest)
		}
	})
}

// Files that are empty, missing or half written keep the old secrets, and are
// told of once each.
func TestUnreadableSecrets(t *testing.T) {
	endpoint, mount := &accounts{}, &files{}
	inFleet(t, endpoint, reading(mount), func(t *testing.T, _ *fleet, r [3]*replica) {
		stop := runAll(t, r[0])
		defer stop()
		r[0].wantToken(t, "t1")
		mount.set(secretsOf(""), nil)
		pass(time.Minute)
		mount.set(tokencache.Secrets{}, errors.New("no such file"))
		pass(time.Minute)
		if empty, missing := r[0].hooks.of("reread: password is empty"), r[0].hooks.of("reread: no such file"); empty != 1 || missing != 1 {
			t.Errorf("told %d and %d times", empty, missing)
		}
		mount.set(secretsOf("hidden"), nil)
		pass(time.Minute)
		mount.set(secretsOf(""), nil)
		pass(time.Minute)
		if again := r[0].hooks.of("reread: password is empty"); again != 2 {
			t.Errorf("told %d times of an error that came back", again)
		}
		r[0].wantToken(t, "t1")
		if endpoint.count() != 1 || r[0].hooks.of("rotated") != 0 {
			t.Errorf("%d calls, rotated %d times", endpoint.count(), r[0].hooks.of("rotated"))
		}
	})
}

// A panic while tending one credential is told and ends nothing.
func TestRunSurvivesPanics(t *testing.T) {
	endpoint := &accounts{}
	broken := func(_ *tokencache.Options, c *tokencache.Credential) {
		c.Reread = func(context.Context) (tokencache.Secrets, error) { panic("boom") }
	}
	inFleet(t, endpoint, broken, func(t *testing.T, _ *fleet, r [3]*replica) {
		stop := runAll(t, r[0])
		defer stop()
		pass(12 * time.Second)
		if got := r[0].hooks.of("panic: boom"); got < 2 {
			t.Errorf("told %d times", got)
		}
	})
}
