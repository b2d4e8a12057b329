package main

import (
	"context"
	"maps"
	"slices"

	"iqgateway/breaker"
	"iqgateway/internal/fleet"
	"iqgateway/proxy"
)

// statusAdmin shows how this replica is.
func (g *gateway) statusAdmin() statusAdmin {
	return statusAdmin{
		replica: g.replica, version: readBuildInfo().Version, started: g.started,
		checks: g.checks(), members: g.stores.fleet.Members, stores: g.stores.states,
		ask: func(ctx context.Context) ([]fleet.Answer, error) {
			return g.stores.fleet.AskAll(ctx, "", questionStatus, nil)
		},
		breakers: g.breakerAdmin().documents, overrides: g.overrideDocuments,
	}
}

// states are the shared stores, by name.
func (s *stores) states() []storeDocument {
	var all []storeDocument
	connections := s.connections()
	for _, name := range slices.Sorted(maps.Keys(connections)) {
		all = append(all, storeDocument{Store: name, Up: connections[name].Status().Up})
	}
	return all
}

// serviceAdmin shows and pings the services of what serves now.
func (g *gateway) serviceAdmin() serviceAdmin {
	return serviceAdmin{
		replica: g.replica, list: g.services,
		ping: func(ctx context.Context, at serviceKey) (proxy.Pong, error) {
			return g.current.Load().pings.ask(ctx, at)
		},
		panicked: g.stores.pingPanicked,
	}
}

// services are those that some caller may use.
func (g *gateway) services() []serviceDocument {
	states := map[breaker.Key]breaker.State{}
	for _, b := range g.stores.breakers.List() {
		states[b.Key] = b.State
	}
	all, serving := []serviceDocument{}, g.current.Load()
	for s := range serving.cfg.Proxied() {
		if !serving.cfg.Reached(s) {
			continue
		}
		all = append(all, serviceDocument{
			Environment: s.Environment, Service: s.Name, Upstream: s.Upstream.Host,
			Ping:    serving.pings.targets[serviceKey{s.Environment, s.Name}].target.Path,
			Breaker: string(states[breaker.Key{Environment: s.Environment, Service: s.Name}]),
		})
	}
	return all
}
