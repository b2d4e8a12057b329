package tokencache

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// Account names the account that requests of a credential are made for right
// now: what the upstream remembers of one account must never meet another.
// The name changes when the client or the user does, also in files that rotate
// while tokens are in use, and not when a password does. It shows neither. ok
// is false for a credential that the set does not have.
func (s *Set) Account(id ID) (name string, ok bool) {
	e := s.entries[id]
	if e == nil {
		return "", false
	}
	if t := e.current.Load(); t.usable(time.Now()) {
		return t.account, true
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.secrets.account(), true
}

// account is the name of whom the secrets belong to.
func (s Secrets) account() string {
	sum := sha256.Sum256([]byte(s.ClientID.Reveal() + "\x00" + s.Username.Reveal()))
	return hex.EncodeToString(sum[:8])
}

// Account implements what [iqgateway/internal/exchange.AccountOf] asks for.
func (t *ticket) Account() string {
	wrote := t.wrote.Load()
	if wrote == nil {
		return ""
	}
	return wrote.account
}
