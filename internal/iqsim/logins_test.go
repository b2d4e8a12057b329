package iqsim

import (
	"errors"
	"testing"
)

func testLogins() *logins {
	return newLogins("sandbox", []Account{
		{ClientID: "c1", ClientSecret: "s1", Username: "u1", Password: "p1"},
		{ClientID: "c2", ClientSecret: "s2", Username: "u2", Password: "p2", Environment: "sandbox"},
		{ClientID: "c3", ClientSecret: "s3", Username: "u3", Password: "p3", Environment: "rc"},
	})
}

func TestLogins(t *testing.T) {
	tests := []struct {
		name                       string
		client, username, password string
		ok                         bool
	}{
		{"right", "c1", "u1", "p1", true},
		{"account of this environment", "c2", "u2", "p2", true},
		{"account of another environment", "c3", "u3", "p3", false},
		{"user of another client", "c1", "u2", "p2", false},
		{"any client", "", "u2", "p2", true},
		{"wrong password", "c1", "u1", "p2", false},
		{"nobody", "c1", "", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := testLogins().login(tt.client, tt.username, tt.password, 5)
			var refusal *grantError
			if (err == nil) != tt.ok || err != nil && (!errors.As(err, &refusal) || refusal.code != "invalid_grant") {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestLoginLocks(t *testing.T) {
	for _, tt := range []struct {
		name      string
		lockAfter int
		wrong     int
		locked    bool
	}{
		{"below", 3, 2, false},
		{"at", 3, 3, true},
		{"at once", 1, 1, true},
		{"never", -1, 50, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := testLogins()
			for range tt.wrong {
				if l.login("c1", "u1", "x", tt.lockAfter) == nil {
					t.Fatal("a wrong password was accepted")
				}
			}
			if l.isLocked("u1") != tt.locked || (l.login("c1", "u1", "p1", tt.lockAfter) == nil) == tt.locked {
				t.Errorf("locked %v", l.isLocked("u1"))
			}
			if l.isLocked("u2") {
				t.Error("another user was locked too")
			}
		})
	}
}

func TestAccountState(t *testing.T) {
	l := testLogins()
	_ = l.login("c1", "u1", "x", 9)
	state := l.state("sandbox")
	if len(state) != 2 || state[0] != (AccountState{"sandbox", "c1", "u1", 1, false}) {
		t.Errorf("state %+v", state)
	}
	if err := l.change("nobody", AccountChange{}); err == nil {
		t.Error("an unknown user was changed")
	}
	locked, secret := true, "s9"
	if err := l.change("u1", AccountChange{Locked: &locked, ClientSecret: &secret}); err != nil {
		t.Fatal(err)
	}
	if !l.isLocked("u1") || l.client("c1", "s9") != nil || l.client("c1", "s1") == nil {
		t.Errorf("state %+v", l.state("sandbox"))
	}
}
