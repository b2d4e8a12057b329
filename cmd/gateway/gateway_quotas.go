package main

import (
	"time"

	"iqgateway/limiter"
	"iqgateway/observability"
)

// quotaAdmin shows and blocks the quotas of what serves now.
func (g *gateway) quotaAdmin() quotaAdmin {
	quotas := g.stores.quotas
	return quotaAdmin{
		replica: g.replica, now: time.Now,
		list: quotas.List, view: quotas.View, block: quotas.Block, unblock: quotas.Unblock,
		audit: g.audit,
	}
}

// quotaStates is what the quota gauges show.
func (g *gateway) quotaStates() []observability.QuotaState {
	return g.stores.quotaSeen.states(time.Now(), g.current.Load().shares)
}

// openQuotas takes the configured buckets from the limiter.
func (g *generation) openQuotas(st *stores) error {
	buckets, routes := quotaBuckets(g.cfg)
	quotas, err := st.quotas.Use(buckets)
	if err != nil {
		return err
	}
	g.quotas, g.quotaRoutes, g.throttled = quotas, routes, throttleNames(buckets)
	g.shares = map[limiter.Name][]limiter.Share{}
	for _, b := range buckets {
		name := limiter.Name{Environment: b.Key.Environment, Service: b.Key.Service, Policy: b.Key.Policy, Of: b.Of}
		g.shares[name] = b.Settings.Shares
	}
	return nil
}
