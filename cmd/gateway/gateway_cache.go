package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"iqgateway/cache"
	"iqgateway/config"
	"iqgateway/internal/exchange"
	"iqgateway/internal/fleet"
	"iqgateway/observability"
	"iqgateway/proxy"
	"iqgateway/tokencache"
)

// commandPurgeCache is what every replica does when an operator purges.
const commandPurgeCache = "cache.purge"

// purgeCommand drops on this replica what another one was asked to purge. The
// log of invalidations tells of it too; whoever follows both does it twice.
func (s *stores) purgeCommand(_ context.Context, payload []byte) error {
	var events []cache.Event
	if err := json.Unmarshal(payload, &events); err != nil {
		return fmt.Errorf("purge: %w", err)
	}
	s.cache.Apply(events...)
	return nil
}

// purge drops here, puts it into the log, and has the fleet follow. The result
// is that of the command that fewest have followed.
func (g *gateway) purge(ctx context.Context, events []cache.Event) (fleet.Result, error) {
	payloads, err := purgePayloads(events)
	if err != nil {
		return fleet.Result{}, err
	}
	g.stores.cache.Purge(ctx, events...)
	var result fleet.Result
	for i, payload := range payloads {
		one, err := g.stores.fleet.Send(ctx, commandPurgeCache, payload)
		if i == 0 || one.Followed < result.Followed {
			result = one
		}
		if err != nil {
			return result, err
		}
	}
	return result, nil
}

// purgePayloads packs events into as few commands as hold them.
func purgePayloads(events []cache.Event) ([][]byte, error) {
	var payloads [][]byte
	for len(events) > 0 {
		n := len(events)
		for {
			payload, err := json.Marshal(events[:n])
			switch {
			case err != nil:
				return nil, fmt.Errorf("purge: %w", err)
			case len(payload) > fleet.MaxPayload && n == 1:
				return nil, fmt.Errorf("purge: what is named takes %d bytes, at most %d go", len(payload), fleet.MaxPayload)
			case len(payload) > fleet.MaxPayload:
				n = (n + 1) / 2
				continue
			}
			payloads = append(payloads, payload)
			break
		}
		events = events[n:]
	}
	return payloads, nil
}

// cacheAdmin shows and purges the cache of what serves now.
func (g *gateway) cacheAdmin() cacheAdmin {
	return cacheAdmin{
		replica: g.replica, now: time.Now,
		stats: g.stores.cache.Stats, heard: g.stores.cache.Heard, tier: g.tierState, logged: g.stores.redis != nil,
		limit: func() int64 { return int64(g.cfg.Cache.Memory) },
		known: func() []purgeService { return purgeServices(g.current.Load().cfg) },
		purge: g.purge,
		audit: g.audit,
	}
}

// tierState says where the second tier is and whether it is used right now.
func (g *gateway) tierState() cacheTier {
	conn, name := g.stores.tier(g.cfg)
	switch {
	case conn != nil:
		status := conn.Status()
		t := cacheTier{Store: name, Up: status.Up}
		if !status.Up {
			t.Reason = connTrouble(conn)[0]
		}
		return t
	case g.cfg.Redis == nil:
		return cacheTier{Reason: "no Redis is configured"}
	case !g.cfg.Cache.Redis.Enabled:
		return cacheTier{Reason: "cache.redis.enabled is false"}
	default:
		return cacheTier{Reason: "redis.encryption_keys is not set, and answers never lie in Redis in the clear"}
	}
}

// cacheState is what the gauges of the cache show.
func (g *gateway) cacheState() observability.CacheState {
	stats := g.stores.cache.Stats()
	state := observability.CacheState{
		Limit: int64(g.cfg.Cache.Memory), Objects: int64(stats.Entries), Evicted: count(stats.Evicted),
	}
	if g.stores.redis != nil {
		state.Silence = silence(time.Now(), g.stores.cache.Heard())
	}
	for _, s := range stats.Services {
		state.Services = append(state.Services, observability.CacheServiceState{
			Environment: s.Environment, Service: s.Service, Bytes: s.Bytes,
			SuggestedHits: count(s.SuggestedHits), SuggestedMisses: count(s.SuggestedMisses),
		})
	}
	return state
}

// count fits into what metrics take.
func count(n uint64) int64 { return int64(min(n, 1<<62)) }

// neverHeard is shown for a log that has not answered yet.
const neverHeard = 24 * time.Hour

func silence(now, heard time.Time) time.Duration {
	if heard.IsZero() {
		return neverHeard
	}
	return max(0, now.Sub(heard))
}

// cacheStages are the two stages of the cache.
func (s stack) cacheStages(answers *proxy.Answers) *cache.Stages {
	cfg, bucket := s.generation.cfg, bucketOf(s.generation.quotaRoutes)
	return s.stores.cache.Stages(cache.StageOptions{
		Services: cacheServices(cfg),
		Account: func(ex *exchange.Exchange) (string, bool) {
			return s.generation.tokens.Account(tokencache.ID{Environment: ex.Target.Environment, Credential: ex.Credential})
		},
		Caller:   func(name string) bool { return cfg.Callers[name].Cache },
		Counted:  func(ex *exchange.Exchange) bool { _, counted := bucket(ex); return counted },
		Decorate: answers.Decorate,
		Refuse:   s.errors.Refuse,
	})
}

// showQuota has answers tell of the bucket also where no attempt is made: those
// from the cache, and those to another caller's request.
func (s stack) showQuota(next http.Handler) http.Handler {
	bucket, quotas := bucketOf(s.generation.quotaRoutes), s.generation.quotas
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ex := exchange.From(r.Context())
		if key, counted := bucket(ex); counted {
			quotas.Show(key, ex)
		}
		next.ServeHTTP(w, r)
	})
}

// purgeServices are what can be named in a purge.
func purgeServices(cfg *config.Config) []purgeService {
	var all []purgeService
	for s := range cfg.Proxied() {
		all = append(all, purgeService{
			ServiceName: cache.ServiceName{Environment: s.Environment, Service: s.Name},
			aliases:     slices.Clone(s.Aliases), upstream: s.Upstream, reached: cfg.Reached(s), tags: cacheTags(s),
		})
	}
	return all
}

// cacheTags are the tags of a service's rules.
func cacheTags(s *config.EffectiveService) []string {
	var tags []string
	for _, r := range cacheRules(s) {
		tags = append(tags, r.Tags...)
	}
	return tags
}
