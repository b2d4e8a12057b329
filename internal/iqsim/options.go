package iqsim

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Options of a simulated iQmetrix. The zero value is the provider as it was
// observed: three environments, one account, every control endpoint open.
type Options struct {
	// Environments that exist. Empty means production, sandbox (hosts end in
	// "demo") and rc.
	Environments []Environment
	// DefaultEnvironment is the one that the path form /{service}/… addresses;
	// "" means sandbox, or the first of Environments where there is none.
	DefaultEnvironment string
	// Accounts that may log in. Empty means one: client sim-client with secret
	// sim-secret, user sim@example.com with password sim-password.
	Accounts []Account
	// Profiles replaces the profile of services, by host stem, or by
	// "api/{first path segment}" for the shared host. Start from
	// [BuiltinProfile]; services that are not named keep theirs.
	Profiles map[string]Profile
	// Limits sets the limit of services for authenticated and anonymous calls
	// alike, by the keys of Profiles.
	Limits map[string]int
	// Switches are the settings that can change while the simulation runs.
	Switches Switches
	// Faults that are armed from the start.
	Faults []Fault
	// DataConnect switches the behaviour of the DataConnect service.
	DataConnect DataConnectOptions
	// LocaleRequired makes productlibrary answer 406 "Locale not available"
	// to a request without a known Accept-Language.
	LocaleRequired bool
	// CatalogItems is how many items the company's catalog has: the assortment
	// of a small shop, and beyond it the same again under other numbers, in
	// subscription lists of 250. 0 means the assortment alone.
	CatalogItems int
	// LedgerSize is how many requests the ledger remembers; the oldest go
	// first. 0 means 10 000, a negative number none (counters still work). An
	// entry takes 1 to 2 KiB.
	LedgerSize int
	// NoControl closes the control endpoints below /_sim/. Whoever reaches
	// them can read the ledger and revoke tokens: close them, or listen on
	// loopback only.
	NoControl bool
	// Seed makes tokens and the chances of faults repeatable; 0 draws them from
	// the system. Seeded tokens can be guessed.
	Seed uint64
	// Now is the clock of the simulation; nil means time.Now. Latencies and
	// other waits pass in real time whatever it says.
	Now func() time.Time
}

// Environment is one set of hosts, with tokens and data of its own.
type Environment struct {
	// Name addresses the environment in paths: /~{name}/{service}/….
	Name string
	// Suffix of its hosts: {service}{suffix}.iqmetrix.net.
	Suffix string
}

// Account is an OAuth client together with one user of it.
type Account struct {
	Environment  string // "" means every environment
	ClientID     string
	ClientSecret string
	Username     string
	Password     string
}

// Switches can be changed at run time with [Sim.Switch] or over HTTP. A zero
// field has the default that it names.
type Switches struct {
	// Window is the length of a quota window, a multiple of one second because
	// Reset has no finer resolution; 0 means 1 minute. Windows are aligned to
	// the clock, so a change starts a new one.
	Window Duration `json:"window,omitempty"`
	// WindowAnchor is where windows begin: "clock" (the default, as observed)
	// or "first" (with the first request after the last window).
	WindowAnchor string `json:"windowAnchor,omitempty"`
	// QuotaScope is what authenticated calls are counted by: "client" (the
	// default), "token" or "ip". Anonymous calls are counted by address. The
	// provider does not say which it is.
	QuotaScope string `json:"quotaScope,omitempty"`
	// CountRejected also counts calls that are refused with 401, by address.
	CountRejected bool `json:"countRejected,omitempty"`
	// TokenLifetime of access tokens; 0 means 12 h.
	TokenLifetime Duration `json:"tokenLifetime,omitempty"`
	// ExpiresIn is what the token endpoint says, in seconds, whatever is true;
	// 0 means one second less than TokenLifetime (43199, as observed).
	ExpiresIn int `json:"expiresIn,omitempty"`
	// LockAfter is how many wrong passwords in a row lock a user; 0 means 5, a
	// negative number never. The provider does not publish its number.
	LockAfter int `json:"lockAfter,omitempty"`
	// FaultHeader lets a request order its own fault in X-Sim-Fault. Off by
	// default: it would let any caller of a gateway break its upstream.
	FaultHeader bool `json:"faultHeader,omitempty"`
}

// withDefaults returns o with its zero fields replaced.
func (o Options) withDefaults() Options {
	if len(o.Environments) == 0 {
		o.Environments = []Environment{{"production", ""}, {"sandbox", "demo"}, {"rc", "rc"}}
	}
	if o.DefaultEnvironment == "" {
		o.DefaultEnvironment = o.Environments[0].Name
		if slices.ContainsFunc(o.Environments, func(e Environment) bool { return e.Name == "sandbox" }) {
			o.DefaultEnvironment = "sandbox"
		}
	}
	if len(o.Accounts) == 0 {
		o.Accounts = []Account{{
			ClientID: "sim-client", ClientSecret: "sim-secret",
			Username: "sim@example.com", Password: "sim-password",
		}}
	}
	if o.LedgerSize == 0 {
		o.LedgerSize = 10_000
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// check reports what cannot be meant.
func (o Options) check() error {
	var errs []error
	names := map[string]bool{}
	for _, e := range o.Environments {
		if e.Name == "" || names[e.Name] {
			errs = append(errs, fmt.Errorf("environments: name %q is empty or used twice", e.Name))
		}
		names[e.Name] = true
	}
	if !names[o.DefaultEnvironment] {
		errs = append(errs, fmt.Errorf("default environment %q does not exist; there are %v",
			o.DefaultEnvironment, slices.Sorted(maps.Keys(names))))
	}
	for _, a := range o.Accounts {
		if a.Environment != "" && !names[a.Environment] {
			errs = append(errs, fmt.Errorf("account %q: environment %q does not exist", a.Username, a.Environment))
		}
	}
	errs = append(errs, o.Switches.check())
	return errors.Join(errs...)
}

// withDefaults returns s with its zero fields replaced.
func (s Switches) withDefaults() Switches {
	if s.Window == 0 {
		s.Window = Duration(time.Minute)
	}
	if s.WindowAnchor == "" {
		s.WindowAnchor = anchorClock
	}
	if s.QuotaScope == "" {
		s.QuotaScope = scopeClient
	}
	if s.TokenLifetime == 0 {
		s.TokenLifetime = Duration(12 * time.Hour)
	}
	if s.LockAfter == 0 {
		s.LockAfter = 5
	}
	return s
}

func (s Switches) check() error {
	var errs []error
	if w := time.Duration(s.Window); w < 0 || w%time.Second != 0 {
		errs = append(errs, fmt.Errorf("window %s must be a positive multiple of 1s, since Reset has no finer resolution", w))
	}
	if !slices.Contains([]string{"", anchorClock, anchorFirst}, s.WindowAnchor) {
		errs = append(errs, fmt.Errorf("windowAnchor %q must be %q or %q", s.WindowAnchor, anchorClock, anchorFirst))
	}
	if !slices.Contains([]string{"", scopeClient, scopeToken, scopeIP}, s.QuotaScope) {
		errs = append(errs, fmt.Errorf("quotaScope %q must be %q, %q or %q", s.QuotaScope, scopeClient, scopeToken, scopeIP))
	}
	if s.TokenLifetime < 0 {
		errs = append(errs, fmt.Errorf("tokenLifetime %s is negative", time.Duration(s.TokenLifetime)))
	}
	return errors.Join(errs...)
}
