package main

import (
	"context"
	"log/slog"

	"iqgateway/proxy"
)

// followUpstreams keeps connections where the names of upstreams lead.
func (s *stores) followUpstreams(ctx context.Context) {
	about := func(k proxy.PoolKey) []any {
		return []any{slog.String("environment", k.Environment), slog.String("upstream", k.Origin)}
	}
	s.transports.Follow(ctx, proxy.FollowOptions{
		Moved: func(k proxy.PoolKey, why proxy.MoveReason) {
			s.log.Info("requests go out on new connections", append(about(k), slog.String("reason", string(why)))...)
		},
		Failed: func(k proxy.PoolKey, err error) {
			s.log.Error("an upstream keeps its old connections", append(about(k), slog.String("error", err.Error()))...)
		},
		Panicked: s.loopPanicked(ctx, "connections to upstreams"),
	})
}
