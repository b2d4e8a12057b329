package tokencache_test

import (
	"strings"
	"testing"
	"time"

	"iqgateway/internal/exchange"
	"iqgateway/tokencache"
)

// The account changes with the client and the user, only when a token of the
// new one is in use, and not with a password.
func TestAccountFollowsTheTokenInUse(t *testing.T) {
	endpoint, mount := &accounts{}, &files{}
	inFleet(t, endpoint, reading(mount), func(t *testing.T, _ *fleet, r [3]*replica) {
		id := credential(endpoint)
		account := func() string {
			t.Helper()
			name, ok := r[0].set.Account(tokencache.ID{Environment: id.Environment, Credential: id.Name})
			if !ok || len(name) != 16 {
				t.Fatalf("account %q, %t", name, ok)
			}
			return name
		}
		stop := runAll(t, r[:]...)
		defer stop()
		first := account() // no token yet
		r[0].wantToken(t, "t1")
		r[1].wantToken(t, "t1") // taken over
		if adopted, _ := r[1].set.Account(tokencache.ID{Environment: id.Environment, Credential: id.Name}); adopted != first || account() != first {
			t.Errorf("the account is %s, then %s, of an adopted token %s", first, account(), adopted)
		}
		mount.set(secretsOf("another password"), nil)
		pass(10 * time.Second)
		r[0].wantToken(t, "t2")
		if account() != first {
			t.Error("another password is another account")
		}
		other := secretsOf("another password")
		other.Username = secretsOf("somebody").Password
		mount.set(other, nil)
		pass(10 * time.Second)
		r[0].wantToken(t, "t3")
		if account() == first || strings.Contains(account(), "somebody") {
			t.Errorf("the account of another user is %s", account())
		}
		if _, ok := r[0].set.Account(tokencache.ID{Environment: "elsewhere", Credential: id.Name}); ok {
			t.Error("an unknown credential has an account")
		}
		if got := exchange.AccountOf(nil); got != "" {
			t.Errorf("nobody has the account %q", got)
		}
	})
}
