package iqsim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// LedgerQuery selects entries of the ledger. The zero value selects all.
type LedgerQuery struct {
	Since       int64 // entries with a later Seq
	Environment string
	Service     string
	Method      string
	Nonce       string
	Executed    bool // only those that were executed
	Limit       int  // at most so many, the oldest first; 0 is all
}

func (q LedgerQuery) selects(e *LedgerEntry) bool {
	return (q.Environment == "" || q.Environment == e.Environment) &&
		(q.Service == "" || q.Service == e.Service) &&
		(q.Method == "" || q.Method == e.Method) &&
		(q.Nonce == "" || q.Nonce == e.Nonce) &&
		(!q.Executed || e.Executed)
}

// Ledger returns the entries that q selects, oldest first. Requests still
// under way are among them, with Done false.
func (s *Sim) Ledger(q LedgerQuery) []LedgerEntry {
	entries, _ := s.ledgerPage(q)
	return entries
}

// ledgerPage returns also how many entries were forgotten for want of room.
func (s *Sim) ledgerPage(q LedgerQuery) (entries []LedgerEntry, lost int64) {
	entries, lost = s.ledger.since(q.Since, q.selects)
	if q.Limit > 0 && len(entries) > q.Limit {
		entries = entries[:q.Limit]
	}
	return entries, lost
}

// ClearLedger forgets entries and counts. Sequence numbers go on.
func (s *Sim) ClearLedger() { s.ledger.clear() }

// Counts returns the totals by environment and service since the start or the
// last ClearLedger.
func (s *Sim) Counts() map[string]map[string]Counts { return s.ledger.totals() }

// environmentOf returns the environment called name, the default one for "".
func (s *Sim) environmentOf(name string) (*environment, error) {
	if name == "" {
		name = s.options.DefaultEnvironment
	}
	if e := s.environments[name]; e != nil {
		return e, nil
	}
	return nil, fmt.Errorf("environment %q does not exist; there are %v", name, slices.Sorted(maps.Keys(s.environments)))
}

// serviceOf checks that a service exists in an environment. Behind "api" the
// quota is kept by first path segment: "api/covaorderintake".
func (s *Sim) serviceOf(environment, service string) (*environment, error) {
	e, err := s.environmentOf(environment)
	if err != nil {
		return nil, err
	}
	stem, _, _ := strings.Cut(service, "/")
	if e.services()[stem] == nil {
		return nil, fmt.Errorf("service %q does not exist; there are %v", service, slices.Sorted(maps.Keys(e.services())))
	}
	return e, nil
}

// TokenCalls returns what the token endpoint of an environment did; "" is the
// default one, and one that does not exist has done nothing.
func (s *Sim) TokenCalls(environment string) TokenCalls {
	e, err := s.environmentOf(environment)
	if err != nil {
		return TokenCalls{}
	}
	return e.accounts.calls()
}

// TokenQuery selects access tokens. The zero value selects all of the default
// environment.
type TokenQuery struct {
	Environment string `json:"environment,omitempty"`
	Account     string `json:"account,omitempty"`
	Serial      int    `json:"serial,omitempty"`
}

// RevokeTokens ends the live access tokens that q selects and returns how many
// there were. Their refresh tokens stay good.
func (s *Sim) RevokeTokens(q TokenQuery) (int, error) {
	e, err := s.environmentOf(q.Environment)
	if err != nil {
		return 0, err
	}
	return e.accounts.tokens.revoke(func(t token) bool {
		return (q.Account == "" || q.Account == t.account) && (q.Serial == 0 || q.Serial == t.serial)
	}), nil
}

// Token returns the text of a new access token, as if the user of the first
// account of the environment had logged in; the token endpoint counts nothing.
func (s *Sim) Token(environment string) (string, error) {
	e, err := s.environmentOf(environment)
	if err != nil {
		return "", err
	}
	all := e.accounts.logins.state(e.name)
	if len(all) == 0 {
		return "", fmt.Errorf("environment %q has no accounts", e.name)
	}
	lifetime := time.Duration(s.Switches().TokenLifetime)
	return e.accounts.tokens.issue(all[0].Username, all[0].ClientID, s.options.Now(), lifetime).text, nil
}

// ChangeAccount changes an account of an environment.
func (s *Sim) ChangeAccount(environment, username string, c AccountChange) error {
	e, err := s.environmentOf(environment)
	if err != nil {
		return err
	}
	return e.accounts.logins.change(username, c)
}

// AddFault arms a fault and returns its id.
func (s *Sim) AddFault(f Fault) (int, error) { return s.faults.add(f) }

// RemoveFaults disarms the fault with this id, or all with 0, and returns how
// many there were.
func (s *Sim) RemoveFaults(id int) int { return s.faults.remove(id) }

// Faults returns the armed faults.
func (s *Sim) Faults() []Fault { return s.faults.list() }

// Profile returns the profile of a service that is in force.
func (s *Sim) Profile(environment, service string) (Profile, error) {
	e, err := s.serviceOf(environment, service)
	if err != nil {
		return Profile{}, err
	}
	return s.profiles.of(e.name, service).clone(), nil
}

// UpdateProfile changes the profile of a service of one environment ("" is the
// default one). It holds from the next request on.
func (s *Sim) UpdateProfile(environment, service string, change func(*Profile) error) error {
	e, err := s.serviceOf(environment, service)
	if err != nil {
		return err
	}
	return s.profiles.update(e.name, service, change)
}

// Consume spends calls of a quota as if another consumer with the same client
// id had made them, and reports whether they fitted into the window.
func (s *Sim) Consume(environment, service, clientID string, calls int) (bool, error) {
	e, err := s.serviceOf(environment, service)
	if err != nil {
		return false, err
	}
	limit := s.profiles.of(e.name, service).Limit
	c := s.quotas.count(quotaKey{e.name, service, false, clientID}, limit, calls, s.options.Now(), s.windowRule())
	return !c.overspent, nil
}

// Quotas returns every counter of calls.
func (s *Sim) Quotas() []QuotaState { return s.quotas.state() }

// ResetQuotas forgets every counter, as if a new window began.
func (s *Sim) ResetQuotas() { s.quotas.reset() }

// DataConnectStats returns what DataConnect counted in an environment.
func (s *Sim) DataConnectStats(environment string) DataConnectStats {
	d, err := s.dataConnectOf(environment)
	if err != nil {
		return DataConnectStats{}
	}
	return d.stats()
}

// DataConnectOptions returns the options of DataConnect in an environment that
// are in force.
func (s *Sim) DataConnectOptions(environment string) (DataConnectOptions, error) {
	d, err := s.dataConnectOf(environment)
	if err != nil {
		return DataConnectOptions{}, err
	}
	return d.options(), nil
}

// ConfigureDataConnect replaces the options of DataConnect in an environment.
// Requests under way keep those that they began with.
func (s *Sim) ConfigureDataConnect(environment string, o DataConnectOptions) error {
	d, err := s.dataConnectOf(environment)
	if err == nil {
		d.configure(o)
	}
	return err
}

func (s *Sim) dataConnectOf(environment string) (*dataConnect, error) {
	e, err := s.environmentOf(environment)
	if err != nil {
		return nil, err
	}
	d, ok := e.services()["dataconnect"].(*dataConnect)
	if !ok {
		return nil, fmt.Errorf("environment %q has no DataConnect of ours", e.name)
	}
	return d, nil
}
