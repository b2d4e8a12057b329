package main

import (
	"context"
	"log/slog"
	"time"
)

// breakerAdmin shows and forces the breakers of what serves now.
func (g *gateway) breakerAdmin() breakerAdmin {
	breakers := g.stores.breakers
	return breakerAdmin{
		replica: g.replica, now: time.Now,
		list: breakers.List, force: breakers.Force, reset: breakers.Reset, quotas: g.stores.quotas.List,
		audit: g.audit,
	}
}

// audit writes what an operator has changed.
func (g *gateway) audit(ctx context.Context, message string, attrs ...slog.Attr) {
	g.log.LogAttrs(ctx, slog.LevelWarn, message, attrs...)
}
