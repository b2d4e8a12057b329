package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"iqgateway/auth"
	"iqgateway/config"
	"iqgateway/observability"
)

// This file keeps the keys of those who vouch for callers by JWT.

func jwtIssuers(cfg *config.Config) []auth.Issuer {
	issuers := make([]auth.Issuer, 0, len(cfg.Auth.JWT))
	for _, j := range cfg.Auth.JWT {
		issuers = append(issuers, auth.Issuer{Name: j.Issuer, Audience: j.Audience, Keys: auth.KeySource{
			Issuer: j.Issuer, URL: j.JWKSURL.String(), RootsFile: string(j.CAFile), TokenFile: string(j.TokenFile),
		}})
	}
	return issuers
}

func (s *stores) openKeySets() {
	s.keySets = auth.NewKeySets(auth.KeySetHooks{
		Fetched: s.keySetFetched,
		Panicked: func(value any, stack []byte) {
			s.panicked(context.Background(), "panic while keys of an issuer were fetched", value, stack)
		},
	})
}

// keySetFetched tells of keys that came, went or could not be had. That nothing
// has changed is no news.
func (s *stores) keySetFetched(f auth.KeySetFetch) {
	issuer := slog.String("issuer", f.Issuer)
	if f.Err != nil || f.Changed {
		s.auditRotation("keys of JWT issuer "+f.Issuer, f.Err)
	}
	switch {
	case f.Err != nil:
		s.event(slog.LevelWarn, "the keys of an issuer of JWTs cannot be fetched", issuer, slog.String("error", f.Err.Error()))
	case f.Changed:
		s.event(slog.LevelInfo, "the keys of an issuer of JWTs have changed", issuer, slog.Int("keys", f.Keys), slog.Int("of_no_use", f.Dropped))
	}
}

// observeKeySets has the metrics of issuers read.
func (s *stores) observeKeySets() error {
	return s.metrics.ObserveKeySets(func() []observability.KeySetState {
		all := s.keySets.Status()
		states := make([]observability.KeySetState, len(all))
		for i, k := range all {
			states[i] = observability.KeySetState{Issuer: k.Issuer, Keys: k.Keys, Fetched: k.Fetched, Fetches: k.Fetches, Failed: k.Failed}
		}
		return states
	})
}

// keySetTrouble says which issuers' tokens are at risk; nil = none.
func (s *stores) keySetTrouble() error {
	var troubled []string
	for _, k := range s.keySets.Status() {
		switch {
		case k.Fetched.IsZero() && k.Err == nil:
			troubled = append(troubled, k.Issuer+": not fetched yet")
		case k.Fetched.IsZero():
			troubled = append(troubled, fmt.Sprintf("%s: never fetched: %v", k.Issuer, k.Err))
		case k.Err != nil:
			troubled = append(troubled, fmt.Sprintf("%s: of %s: %v", k.Issuer, k.Fetched.UTC().Format(time.RFC3339), k.Err))
		case k.Keys == 0:
			troubled = append(troubled, k.Issuer+": has no key that can be used")
		}
	}
	if len(troubled) > 0 {
		return errors.New(strings.Join(troubled, "; "))
	}
	return nil
}
