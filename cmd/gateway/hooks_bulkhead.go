package main

import (
	"log/slog"
	"os"

	"iqgateway/bulkhead"
	"iqgateway/config"
)

// This file makes the bulkheads, and turns what they report into log lines.

func (s *stores) openBulkheads(cfg *config.Config) {
	limit := memoryLimit(cfg, os.DirFS("/"))
	s.upstreams = bulkhead.NewUpstreams(bulkhead.UpstreamsOptions{})
	s.callers = bulkhead.NewCallers(bulkhead.CallersOptions{})
	s.memory = bulkhead.NewMemory(bulkhead.MemoryOptions{Limit: limit, Hooks: bulkhead.MemoryHooks{
		Changed: s.memoryChanged, Panicked: s.memoryPanicked,
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
	s.event(slog.LevelError, "panic in the watch of the memory", slog.Any("panic", value), slog.String("stack", string(stack)))
}
