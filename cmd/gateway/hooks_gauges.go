package main

import (
	"errors"

	"iqgateway/auth"
	"iqgateway/config"
	"iqgateway/observability"
)

// This file has gauges read what the gateway holds.

// observe has the gauges read from now on.
func (g *gateway) observe() error {
	m := g.stores.metrics
	return errors.Join(
		m.ObserveConfig(g.configState),
		m.ObserveChecks(g.checks()),
		m.ObserveKeys(g.keyExpiries),
		m.ObservePassthroughs(func() []observability.PassthroughEnd { return passthroughEnds(g.current.Load().cfg) }),
		m.ObserveTokens(g.tokenStates),
		m.ObserveQuotas(g.quotaStates),
		m.ObserveCache(g.cacheState),
		m.ObserveOverrides(g.overrideStates),
		g.observeCertificates(),
	)
}

func (g *gateway) configState() observability.ConfigState {
	s := g.reloads.state.Load()
	return observability.ConfigState{Hash: s.hash, Loaded: s.at, Failed: s.failed != nil}
}

// passthroughEnds are the ends of accesses with tokens that callers bring.
func passthroughEnds(cfg *config.Config) []observability.PassthroughEnd {
	var all []observability.PassthroughEnd
	for name, c := range cfg.Callers {
		for _, a := range c.Access {
			if a.Credential == auth.Passthrough {
				all = append(all, observability.PassthroughEnd{Caller: name, Environment: a.Environment, Ends: a.Until})
			}
		}
	}
	return all
}
