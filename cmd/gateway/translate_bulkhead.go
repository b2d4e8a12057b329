package main

import (
	"io/fs"

	"iqgateway/bulkhead"
	"iqgateway/config"
)

// openBulkheads takes the slots of this configuration's upstreams.
func (g *generation) openBulkheads(st *stores) error {
	slots, err := st.upstreams.Use(upstreamSlots(g.cfg))
	if err != nil {
		return err
	}
	g.upstreams = slots
	return nil
}

// upstreamSlots are the upstreams with the requests that each may have under way.
func upstreamSlots(cfg *config.Config) []bulkhead.Upstream {
	var all []bulkhead.Upstream
	for s := range cfg.Proxied() {
		all = append(all, bulkhead.Upstream{
			Key:    bulkhead.Key{Environment: s.Environment, Service: s.Name},
			Origin: s.Origin(), MaxInFlight: s.Limits.MaxInFlight,
		})
	}
	return all
}

// memoryLimit returns what the process may use, in bytes; 0 = no limit. root is
// that of the file system.
func memoryLimit(cfg *config.Config, root fs.FS) int64 {
	if most := cfg.Server.Limits.MaxMemory; most != config.Auto {
		return int64(most)
	}
	return bulkhead.FindLimit(root)
}

// cacheBytes returns what stored answers may take, in bytes. In a small
// container a whole cache of the configured size would leave no room for
// requests, and all would be refused for want of memory.
func cacheBytes(cfg *config.Config, limit int64) int64 {
	configured := int64(cfg.Cache.Memory)
	if limit == 0 {
		return configured
	}
	return min(configured, limit/2)
}
