package main

import (
	"context"
	"log/slog"
	"os"
	"time"

	"iqgateway/bulkhead"
	"iqgateway/config"
	"iqgateway/observability"
)

// This file makes the bulkheads, and turns what they report into metrics and log
// lines.

func (s *stores) openBulkheads(cfg *config.Config) {
	limit := memoryLimit(cfg, os.DirFS("/"))
	s.upstreams = bulkhead.NewUpstreams(bulkhead.UpstreamsOptions{Hooks: bulkhead.UpstreamHooks{Waited: s.slotWaited, Refused: s.slotRefused}})
	s.memory = bulkhead.NewMemory(bulkhead.MemoryOptions{Limit: limit, Hooks: bulkhead.MemoryHooks{
		Changed: s.memoryChanged, Shed: s.shed, Panicked: s.memoryPanicked,
	}})
	if least := cacheBytes(cfg, limit); least < int64(cfg.Cache.Memory) {
		s.event(slog.LevelWarn, "the cache is smaller than configured: half of the memory that the process may use",
			slog.Int64("cache_bytes", least), slog.Int64("max_memory_bytes", limit))
	}
}

func (s *stores) memoryChanged(m bulkhead.MemoryState) {
	attrs := []slog.Attr{slog.Int64("in_use_bytes", m.InUse), slog.Int64("max_memory_bytes", m.Limit)}
	if m.Shedding {
		s.event(slog.LevelError, "short of memory: new requests are refused", attrs...)
		return
	}
	s.event(slog.LevelWarn, "enough memory again: requests are served", attrs...)
}

func (s *stores) memoryPanicked(value any, stack []byte) {
	s.panicked(context.Background(), "panic in the watch of the memory", value, stack)
}

func (s *stores) slotWaited(key bulkhead.Key, waited time.Duration) {
	s.metrics.SlotWaited(context.Background(), key.Environment, key.Service, waited)
}

func (s *stores) slotRefused(key bulkhead.Key, reason bulkhead.Reason, _ time.Duration) {
	s.metrics.SlotRefused(context.Background(), key.Environment, key.Service, string(reason))
}

func (s *stores) shed() { s.metrics.Shed(context.Background()) }

// observeLoad has the gauges read from the bulkheads.
func (s *stores) observeLoad() error {
	return s.metrics.ObserveLoad(func() []observability.UpstreamLoad {
		var all []observability.UpstreamLoad
		for _, u := range s.upstreams.List() {
			all = append(all, observability.UpstreamLoad{
				Environment: u.Key.Environment, Service: u.Key.Service,
				InFlight: u.InFlight, Waiting: u.Waiting, Limit: u.MaxInFlight,
			})
		}
		return all
	}, func() observability.MemoryLoad {
		m := s.memory.State()
		return observability.MemoryLoad{InUse: m.InUse, Limit: m.Limit, Shedding: m.Shedding}
	})
}
