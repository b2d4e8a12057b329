package iqsim

import (
	"fmt"
	"slices"
	"sync"
)

// grantError is an error of the token endpoint (RFC 6749, section 5.2).
type grantError struct {
	code        string
	description string
}

// Error returns code and description.
func (e *grantError) Error() string { return e.code + ": " + e.description }

// logins knows the accounts of one environment and locks users after wrong
// passwords. It is safe for concurrent use.
type logins struct {
	mu       sync.Mutex
	accounts []Account
	wrong    map[string]int  // wrong passwords in a row, by user name
	locked   map[string]bool // by user name
}

func newLogins(environment string, all []Account) *logins {
	l := &logins{wrong: map[string]int{}, locked: map[string]bool{}}
	for _, a := range all {
		if a.Environment == "" || a.Environment == environment {
			l.accounts = append(l.accounts, a)
		}
	}
	return l
}

// client checks an OAuth client.
func (l *logins) client(id, secret string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	known := slices.ContainsFunc(l.accounts, func(a Account) bool { return a.ClientID == id && a.ClientSecret == secret })
	if !known {
		return &grantError{"invalid_client", "client id or secret is wrong"}
	}
	return nil
}

// login checks a password. clientID "" accepts users of every client, as
// DataConnect's Basic credentials name none. A wrong password counts towards
// locking the user, who then gets no token with the right one either.
func (l *logins) login(clientID, username, password string, lockAfter int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := slices.IndexFunc(l.accounts, func(a Account) bool {
		return a.Username == username && (clientID == "" || a.ClientID == clientID)
	})
	if at < 0 {
		return &grantError{"invalid_grant", "user name or password is wrong"}
	}
	if l.locked[username] {
		return &grantError{"invalid_grant", "the user account is locked"}
	}
	if l.accounts[at].Password == password {
		delete(l.wrong, username)
		return nil
	}
	l.wrong[username]++
	if lockAfter >= 0 && l.wrong[username] >= lockAfter {
		l.locked[username] = true
	}
	return &grantError{"invalid_grant", "user name or password is wrong"}
}

// isLocked tells whether a user is locked.
func (l *logins) isLocked(username string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.locked[username]
}

// AccountChange changes an account while the simulation runs. A nil field
// stays as it is.
type AccountChange struct {
	Password     *string `json:"password,omitempty"`
	ClientSecret *string `json:"clientSecret,omitempty"`
	Locked       *bool   `json:"locked,omitempty"` // false also forgets wrong passwords
}

// change applies c to every account of the user.
func (l *logins) change(username string, c AccountChange) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	found := false
	for i := range l.accounts {
		if a := &l.accounts[i]; a.Username == username {
			found = true
			replace(&a.Password, c.Password)
			replace(&a.ClientSecret, c.ClientSecret)
		}
	}
	if !found {
		return fmt.Errorf("no account of user %q", username)
	}
	if c.Locked != nil {
		l.locked[username] = *c.Locked
		delete(l.wrong, username)
	}
	return nil
}

func replace(value, with *string) {
	if with != nil {
		*value = *with
	}
}

// AccountState is one account as the control endpoints show it, without its
// secrets.
type AccountState struct {
	Environment    string `json:"environment"`
	ClientID       string `json:"clientId"`
	Username       string `json:"username"`
	WrongPasswords int    `json:"wrongPasswords"`
	Locked         bool   `json:"locked"`
}

func (l *logins) state(environment string) []AccountState {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]AccountState, 0, len(l.accounts))
	for _, a := range l.accounts {
		out = append(out, AccountState{environment, a.ClientID, a.Username, l.wrong[a.Username], l.locked[a.Username]})
	}
	return out
}
