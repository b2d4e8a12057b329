package main

import (
	"errors"
	"strings"

	"iqgateway/cache"
	cachestore "iqgateway/cache/redisstore"
	"iqgateway/config"
	"iqgateway/internal/redisconn"
	"iqgateway/proxy"
)

// openCache builds the store of answers. The log of invalidations stands in the
// server that evicts nothing; answers may have one of their own, which is told
// to.
func (s *stores) openCache(cfg *config.Config) error {
	o := cache.Options{
		Memory: cacheBytes(cfg, s.memory.State().Limit), Separate: !cfg.Cache.Coalesce, Hidden: proxy.UpstreamOnly, Hooks: s.cacheHooks(),
	}
	if s.redis != nil {
		o.Log = cachestore.NewLog(s.redis, cachestore.LogOptions{Hooks: s.cacheStoreHooks(storeName)})
	}
	if conn, name := s.tier(cfg); conn != nil {
		tier, err := cachestore.NewTier(conn, cachestore.TierOptions{
			MaxValue: largestValue(cfg), Hooks: s.cacheStoreHooks(name),
		})
		if err != nil {
			return err
		}
		o.Tier = tier
	}
	s.cache = cache.New(o)
	return nil
}

// largestValue is what the largest answer that a service keeps takes in the
// second tier: sealed text is longer by a third, and a header comes with it.
func largestValue(cfg *config.Config) int {
	most := config.Size(0)
	for _, name := range cfg.EnvironmentNames() {
		env, _ := cfg.Environment(name)
		for _, s := range env.Services() {
			most = max(most, s.Cache.MaxObject)
		}
	}
	return max(cachestore.DefaultMaxValue, int(most)/3*4+128<<10)
}

// tier returns the server of the second tier, and its name; nil where there is
// none: without keys nothing of an answer leaves this process.
func (s *stores) tier(cfg *config.Config) (*redisconn.Conn, string) {
	switch {
	case s.cacheRedis != nil:
		return s.cacheRedis, cacheStoreName
	case s.sealing() && cfg.Cache.Redis.Enabled:
		return s.redis, storeName
	default:
		return nil, ""
	}
}

func (s *stores) cacheStoreHooks(name string) cachestore.Hooks {
	return cachestore.Hooks{Discarded: server{stores: s, name: name}.cacheDiscarded, Oversize: s.cacheOversize}
}

func (s server) cacheDiscarded(field, reason string) {
	s.stores.discardedIn(s.name, "cache "+field, reason)
}

// cacheTrouble is the part of readiness of the cache's own server.
func (s *stores) cacheTrouble() error {
	if problems := connTrouble(s.cacheRedis); len(problems) > 0 {
		return errors.New(strings.Join(problems, "; "))
	}
	return nil
}
