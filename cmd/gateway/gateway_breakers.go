package main

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"iqgateway/internal/fleet"
	"iqgateway/observability"
)

// commandFollowBreakers is what every replica does when an operator has given
// an order to a breaker. The order itself lies in the breakers' store, where
// replicas that start later find it too.
const commandFollowBreakers = "breaker.follow"

// followBreakers reads the orders at once, so that the sender learns that they
// hold here.
func (s *stores) followBreakers(ctx context.Context, _ []byte) error { return s.breakers.Sync(ctx) }

// tellBreakers has the fleet follow an order that was given here.
func (g *gateway) tellBreakers(ctx context.Context) fleet.Result {
	result, err := g.stores.fleet.Send(ctx, commandFollowBreakers, nil)
	if err != nil { // to read it again here; it holds all the same
		result.Followed++
		result.Behind = slices.DeleteFunc(result.Behind, func(name string) bool { return name == g.replica })
	}
	return result
}

// breakerAdmin shows and forces the breakers of what serves now.
func (g *gateway) breakerAdmin() breakerAdmin {
	breakers := g.stores.breakers
	return breakerAdmin{
		replica: g.replica, now: time.Now,
		list: breakers.List, force: breakers.Force, reset: breakers.Reset, quotas: g.stores.quotas.List,
		follow: g.tellBreakers, size: g.stores.fleet.Size, audit: g.audit,
	}
}

// audit writes what an operator has changed.
func (g *gateway) audit(ctx context.Context, message string, attrs ...slog.Attr) {
	observability.AuditChange(ctx, message, attrs...)
	g.log.LogAttrs(ctx, slog.LevelWarn, message, attrs...)
}
