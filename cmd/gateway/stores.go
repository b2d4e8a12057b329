package main

import (
	"context"
	"log/slog"
	"strconv"

	"iqgateway/internal/exchange"
	"iqgateway/observability"
	"iqgateway/proxy"
	"iqgateway/tokencache"
)

// stores hold the state that outlives a generation, each found by a key.
type stores struct {
	transports *proxy.Transports
	tokens     *tokencache.Cache
	metrics    *observability.Metrics
	log        *slog.Logger
}

func newStores(log *slog.Logger) (*stores, error) {
	build := readBuildInfo()
	metrics, err := observability.NewMetrics(observability.BuildInfo{
		Version: build.Version, Revision: build.Revision, GoVersion: build.GoVersion,
	})
	if err != nil {
		return nil, err
	}
	s := &stores{transports: proxy.NewTransports(), metrics: metrics, log: log}
	s.tokens = tokencache.New(tokencache.Options{Hooks: s.tokenHooks()})
	return s, nil
}

// close ends what runs in the background.
func (s *stores) close(ctx context.Context) error {
	s.tokens.Close()
	return s.metrics.Shutdown(ctx)
}

func (s *stores) tokenHooks() tokencache.Hooks {
	return tokencache.Hooks{
		FetchDone:    s.tokenFetched,
		Rejected:     s.tokenRejected,
		RereadFailed: s.secretsUnreadable,
		Panicked: func(id tokencache.ID, value any, stack []byte) {
			s.log.Error("panic in a token fetch", slog.String("credential", id.String()), slog.Any("panic", value), slog.String("stack", string(stack)))
		},
	}
}

func (s *stores) tokenFetched(info tokencache.FetchInfo) {
	s.metrics.TokenFetched(context.Background(), observability.TokenFetch{
		Environment: info.ID.Environment, Credential: info.ID.Credential,
		Reason: string(info.Reason), Outcome: string(info.Outcome), Duration: info.Duration,
	})
	attrs := []slog.Attr{
		slog.String("environment", info.ID.Environment), slog.String("credential", info.ID.Credential),
		slog.String("reason", string(info.Reason)), slog.String("outcome", string(info.Outcome)),
		slog.Duration("duration", info.Duration),
	}
	if info.Err != nil {
		s.log.LogAttrs(context.Background(), slog.LevelError, "no token", append(attrs, slog.String("error", info.Err.Error()))...)
		return
	}
	attrs = append(attrs, slog.Uint64("generation", info.Generation), slog.Time("expires", info.Expires))
	s.log.LogAttrs(context.Background(), slog.LevelInfo, "token fetched", attrs...)
}

func (s *stores) tokenRejected(info tokencache.RejectInfo) {
	s.log.Warn("an upstream answered 401 to our token",
		slog.String("environment", info.ID.Environment), slog.String("credential", info.ID.Credential),
		slog.String("service", info.Service), slog.Uint64("generation", info.Generation), slog.Bool("replayed", info.Replayed))
}

func (s *stores) secretsUnreadable(id tokencache.ID, err error) {
	s.log.Error("secrets cannot be read again, the last ones stay", slog.String("credential", id.String()), slog.String("error", err.Error()))
}

// attempted is the attempt stage's hook.
func (s *stores) attempted(ctx context.Context, info proxy.AttemptInfo) {
	upstream := exchange.From(ctx).Target.Upstream
	port, err := strconv.Atoi(upstream.Port())
	if err != nil { // none: the scheme's own
		port = map[string]int{"http": 80, "https": 443}[upstream.Scheme]
	}
	s.metrics.Attempted(ctx, observability.Attempt{
		Method: info.Method, Environment: info.Environment, Service: info.Service, Credential: info.Credential,
		Host: upstream.Hostname(), Port: port, Status: info.Status, ErrorType: string(info.Kind), Duration: info.Duration,
	})
}
