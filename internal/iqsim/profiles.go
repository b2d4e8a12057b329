package iqsim

import (
	"fmt"
	"maps"
	"sync"
)

// profiles holds the profile of every service of every environment.
type profiles struct {
	mu    sync.RWMutex
	given map[string]Profile // by service, from the options
	byKey map[profileKey]*profile
}

type profileKey struct{ environment, service string }

// newProfiles checks the profiles and limits of the options.
func newProfiles(given map[string]Profile, limits map[string]int) (*profiles, error) {
	ps := &profiles{given: maps.Clone(given), byKey: map[profileKey]*profile{}}
	if ps.given == nil {
		ps.given = map[string]Profile{}
	}
	for service, limit := range limits {
		p := ps.initial(service)
		p.Limit, p.AnonymousLimit = limit, limit
		ps.given[service] = p
	}
	for service, p := range ps.given {
		if _, err := p.compile(); err != nil {
			return nil, fmt.Errorf("profile of %s: %w", service, err)
		}
	}
	return ps, nil
}

func (ps *profiles) initial(service string) Profile {
	if p, ok := ps.given[service]; ok {
		return p
	}
	return BuiltinProfile(service)
}

// of returns the profile in force.
func (ps *profiles) of(environment, service string) *profile {
	key := profileKey{environment, service}
	ps.mu.RLock()
	p := ps.byKey[key]
	ps.mu.RUnlock()
	if p != nil {
		return p
	}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return ps.load(key)
}

func (ps *profiles) load(key profileKey) *profile {
	if p := ps.byKey[key]; p != nil {
		return p
	}
	p, err := ps.initial(key.service).compile()
	if err != nil {
		panic("iqsim: builtin profile of " + key.service + ": " + err.Error()) // given ones were checked
	}
	ps.byKey[key] = p
	return p
}

// update replaces one profile by what change makes of it.
func (ps *profiles) update(environment, service string, change func(*Profile) error) error {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	key := profileKey{environment, service}
	next := ps.load(key).clone()
	if err := change(&next); err != nil {
		return err
	}
	p, err := next.compile()
	if err != nil {
		return fmt.Errorf("profile of %s: %w", service, err)
	}
	ps.byKey[key] = p
	return nil
}
