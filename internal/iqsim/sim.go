package iqsim

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"time"
)

// Sim is a simulated iQmetrix. It is one http.Handler for every host of every
// environment, starts nothing and is safe for concurrent use.
type Sim struct {
	options      Options
	switches     atomic.Pointer[Switches]
	environments map[string]*environment
	addresses    addresses
	profiles     *profiles
	quotas       *quotas
	faults       *faults
	ledger       *ledger
	encoders     encoders
	control      http.Handler
}

// New returns a simulation; the error names every option that cannot be meant.
func New(o Options) (*Sim, error) {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("iqsim: %w", err)
	}
	ps, err := newProfiles(o.Profiles, o.Limits)
	if err != nil {
		return nil, fmt.Errorf("iqsim: %w", err)
	}
	s := &Sim{
		options: o, environments: map[string]*environment{}, profiles: ps,
		quotas: &quotas{windows: map[quotaKey]*quotaWindow{}},
		faults: newFaults(o.Seed), ledger: newLedger(o.LedgerSize),
	}
	s.storeSwitches(o.Switches)
	for _, e := range o.Environments {
		s.environments[e.Name] = newEnvironment(e.Name, o, s.Switches)
	}
	for _, f := range o.Faults {
		if _, err := s.faults.add(f); err != nil {
			return nil, fmt.Errorf("iqsim: %w", err)
		}
	}
	s.addresses = addresses{o.Environments, o.DefaultEnvironment, s.knows}
	s.control = newControl(s)
	return s, nil
}

// knows tells whether there is a service with this host stem.
func (s *Sim) knows(service string) bool {
	return s.environments[s.options.DefaultEnvironment].services()[service] != nil
}

func (s *Sim) storeSwitches(v Switches) {
	v = v.withDefaults()
	s.switches.Store(&v)
}

// Switches returns the switches in force.
func (s *Sim) Switches() Switches { return *s.switches.Load() }

// Switch changes the switches; change gets those in force.
func (s *Sim) Switch(change func(*Switches)) error {
	for {
		old := s.switches.Load()
		next := *old
		change(&next)
		if err := next.check(); err != nil {
			return fmt.Errorf("iqsim: %w", err)
		}
		next = next.withDefaults()
		if s.switches.CompareAndSwap(old, &next) {
			return nil
		}
	}
}

// ServeHTTP answers for every service, and for the control endpoints.
func (s *Sim) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.options.NoControl && isControl(r) {
		s.control.ServeHTTP(w, r)
		return
	}
	to, ok := s.addresses.resolve(r)
	if !ok {
		http.Error(w, fmt.Sprintf("iqsim: no service at host %q, path %q", r.Host, r.URL.Path), http.StatusNotFound)
		return
	}
	s.visit(w, r, to).serve(r.Context())
}

// windowRule returns how windows run now.
func (s *Sim) windowRule() windowRule {
	v := s.Switches()
	return windowRule{time.Duration(v.Window), v.WindowAnchor}
}
