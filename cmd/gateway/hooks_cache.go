package main

import (
	"context"
	"errors"
	"log/slog"

	"iqgateway/cache"
	"iqgateway/internal/exchange"
	"iqgateway/observability"
)

// This file turns what the cache reports into metrics and log lines. What it
// does for a request, the observe stage reads off the exchange.

func (s *stores) cacheHooks() cache.Hooks {
	return cache.Hooks{
		Stored:      s.cacheStored,
		Invalidated: s.cacheInvalidated,
		Refreshed:   s.cacheRefreshed,
		Fetched:     s.cacheFetched,
		LogFailed:   s.cacheLogFailed,
		TierFailed:  s.cacheTierFailed,
		Panicked:    s.cachePanicked,
	}
}

func (s *stores) cacheStored(of cache.ServiceName, _ int) {
	s.metrics.CacheStored(context.Background(), of.Environment, of.Service)
}

func (s *stores) cacheInvalidated(kind cache.EventKind, count int) {
	s.metrics.CacheInvalidated(context.Background(), string(kind), count)
}

func cacheOf(of cache.ServiceName) slog.Attr {
	return slog.Group("", slog.String("environment", of.Environment), slog.String("service", of.Service))
}

func (s *stores) cacheRefreshed(i cache.WorkInfo) {
	outcome := "ok"
	if i.Err != nil {
		outcome = "failed"
		s.event(slog.LevelDebug, "a stored answer could not be refreshed", cacheOf(i.Service), observability.ExchangeAttr(i.Exchange), slog.String("error", i.Err.Error()))
	}
	s.metrics.CacheRefreshed(context.Background(), i.Service.Environment, i.Service.Service, outcome)
	s.cacheWorked("cache.refresh", i)
}

func (s *stores) cacheFetched(i cache.WorkInfo) { s.cacheWorked("cache.fetch", i) }

func (s *stores) cacheWorked(name string, i cache.WorkInfo) {
	s.traces.Work(observability.Work{Name: name, Method: i.Method, Exchange: i.Exchange, Took: i.Took, Failure: workFailure(i.Err)})
}

// workFailure is a word for how work failed: of a closed set, as no error is.
func workFailure(err error) string {
	if err == nil {
		return ""
	}
	if p, ok := errors.AsType[*exchange.Problem](err); ok {
		return string(p.Type)
	}
	return "failed"
}

// The connection itself has logged that Redis is away.
func (s *stores) cacheLogFailed(operation string, err error) {
	s.event(slog.LevelDebug, "the log of invalidations does not answer", slog.String("operation", operation), slog.String("error", err.Error()))
}

func (s *stores) cacheTierFailed(operation string, err error) {
	s.event(slog.LevelDebug, "the second tier of the cache does not answer", slog.String("operation", operation), slog.String("error", err.Error()))
}

func (s *stores) cacheOversize(bytes int) {
	s.event(slog.LevelDebug, "an answer is too large for the second tier of the cache", slog.Int("bytes", bytes))
}

func (s *stores) cachePanicked(of cache.ServiceName, value any, stack []byte) {
	s.panicked(context.Background(), "panic in a shared fetch", value, stack, cacheOf(of))
}
