package main

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"iqgateway/auth"
	"iqgateway/breaker"
	"iqgateway/bulkhead"
	"iqgateway/cache"
	"iqgateway/callerlimit"
	"iqgateway/config"
	"iqgateway/internal/exchange"
	"iqgateway/internal/fleet"
	fleetstore "iqgateway/internal/fleet/redisstore"
	"iqgateway/internal/redisconn"
	"iqgateway/internal/steady"
	"iqgateway/limiter"
	quotastore "iqgateway/limiter/redisstore"
	"iqgateway/observability"
	"iqgateway/override"
	"iqgateway/proxy"
	sessionstore "iqgateway/proxy/redisstore"
	"iqgateway/retry"
	"iqgateway/tokencache"
	tokenstore "iqgateway/tokencache/redisstore"
	"iqgateway/usage"
)

// stores hold the state that outlives a generation, each found by a key.
type stores struct {
	transports *proxy.Transports
	trust      *upstreamTrust
	tokens     *tokencache.Cache
	keySets    *auth.KeySets // of those who vouch for callers by JWT
	sessions   *proxy.Sessions
	quotas     *limiter.Limiter
	quotaSeen  quotaSeen
	recent     *observability.Recent
	requests   requestFinder
	fleet      *fleet.Fleet
	describe   fleet.Answerer // says how this replica is
	reload     fleet.Handler  // of the configuration, as the fleet orders it
	reloaded   fleet.Answerer // what that has brought
	metrics    *observability.Metrics
	traces     *observability.Traces                 // nil = none are exported
	otel       observability.TraceEnviron            // of this process
	tracing    atomic.Pointer[observability.Tracing] // of the newest generation
	audit      *observability.Audit                  // nil = none
	overrides  *override.Overrides                   // of the gateway that serves
	uses       *auth.Uses                            // of credentials
	usage      *usage.Book                           // of callers, by day
	tokenCalls auth.TokenCalls                       // under way at the gateway's own token endpoint
	log        *slog.Logger

	breakers  *breaker.Breakers
	budgets   *retry.Budgets
	upstreams *bulkhead.Upstreams
	callers   *callerlimit.Limits
	memory    *bulkhead.Memory

	cache       *cache.Cache
	redis       *redisconn.Conn   // nil = everything in memory
	cacheRedis  *redisconn.Conn   // of the cache alone; nil = its second tier is in redis, or nowhere
	tokenShared *tokenstore.Store // nil = tokens stay in this process
	keys        *rotation         // of the keys that seal values; nil = none
	rotations   []*rotation
}

// newStores builds what replicas share, without dialling anything.
func newStores(cfg *config.Config, log *slog.Logger, replica string) (*stores, error) {
	build := readBuildInfo()
	metrics, err := observability.NewMetrics(observability.BuildInfo{
		Version: build.Version, Revision: build.Revision, GoVersion: build.GoVersion,
	})
	if err != nil {
		return nil, err
	}
	s := &stores{transports: proxy.NewTransports(), trust: newUpstreamTrust(log), metrics: metrics, log: log, recent: observability.NewRecent()}
	s.trust.told = s.auditRotation
	s.requests = requestFinder{replica: replica, recent: s.recent, ask: s.askReplica, askAll: s.askReplicas, traceURL: s.traceURL}
	metrics.OnPanic(s.gaugePanicked)
	if err := s.openRedis(cfg); err != nil {
		return nil, configError{err}
	}
	if err := s.openTokens(cfg, replica); err != nil {
		return nil, configError{err}
	}
	s.openKeySets()
	s.sessions = proxy.NewSessions(s.sessionOptions())
	s.fleet = fleet.New(s.fleetOptions(replica, build.Version))
	s.quotas = limiter.New(s.quotaOptions(replica))
	s.breakers = breaker.New(s.breakerOptions(replica))
	s.openUses()
	s.openUsage(cfg)
	s.budgets = retry.New(retry.Options{Hooks: s.retryHooks()})
	s.callers = callerlimit.New(s.callerLimitOptions(replica))
	s.openBulkheads(cfg)
	if err := s.openCache(cfg); err != nil {
		return nil, configError{err}
	}
	return s, s.observe()
}

func (s *stores) openRedis(cfg *config.Config) error {
	conn, ring, err := newRedis(cfg, s.redisHooks(storeName))
	if err != nil || conn == nil {
		return err
	}
	s.redis = conn
	if ring != nil {
		s.keys = keyRotation(cfg.Redis.EncryptionKeys, ring, s.log)
		s.rotations = append(s.rotations, s.keys)
	}
	if s.cacheRedis, err = newCacheRedis(cfg, ring, s.redisHooks(cacheStoreName)); err != nil {
		return err
	}
	if cfg.Redis.Password.Rotates() || cfg.Redis.SentinelPassword.Rotates() {
		s.rotations = append(s.rotations, passwordRotation(cfg.Redis, s.log, slices.Collect(maps.Values(s.connections()))...))
	}
	return nil
}

// sealing reports whether secrets may be shared through Redis.
func (s *stores) sealing() bool { return s.redis != nil && s.redis.Sealing() }

func (s *stores) openTokens(cfg *config.Config, replica string) error {
	o := tokencache.Options{Dir: cfg.DataDir, Replica: replica, Hooks: s.tokenHooks()}
	if s.sealing() {
		shared, err := tokenstore.New(s.redis, tokenstore.Options{Hooks: tokenstore.Hooks{Discarded: s.valueDiscarded, Panicked: s.beatPanicked}})
		if err != nil {
			return err
		}
		s.tokenShared, o.Store = shared, shared
	}
	s.tokens = tokencache.New(o)
	return nil
}

func (s *stores) sessionOptions() proxy.SessionsOptions {
	o := proxy.SessionsOptions{Hooks: s.sessionHooks()}
	if s.sealing() {
		o.Store = sessionstore.New(s.redis, sessionstore.Hooks{Discarded: s.sessionDiscarded})
	}
	return o
}

// quotaOptions: what is counted is no secret, so that quota is shared through
// Redis without keys too.
func (s *stores) quotaOptions(replica string) limiter.Options {
	o := limiter.Options{Replica: replica, Fleet: s.fleet.Size, Hooks: s.quotaHooks()}
	if s.redis != nil {
		o.Store = quotastore.New(s.redis, quotastore.Options{Hooks: quotastore.Hooks{Discarded: s.quotaDiscarded}})
	}
	return o
}

func (s *stores) fleetOptions(replica, version string) fleet.Options {
	o := fleet.Options{Replica: replica, Version: version, Hooks: s.fleetHooks(), Handle: s.commands(), Answer: s.answers()}
	if s.redis != nil { // without keys it shares members, but no commands
		o.Store = fleetstore.New(s.redis)
	}
	return o
}

// observe has the gauges read from the stores.
func (s *stores) observe() error {
	for name, conn := range s.connections() {
		var replicas func() int
		if conn == s.redis {
			replicas = s.fleet.Size
		}
		if err := s.metrics.ObserveStore(name, func() bool { return conn.Status().Up }, replicas); err != nil {
			return err
		}
	}
	return errors.Join(s.observeKeySets(), s.observeLoad(), s.observeBreakers(), s.observeCallers())
}

// run keeps the stores alive until ctx ends.
func (s *stores) run(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	keep := func(what string, loop func(context.Context)) {
		all.Go(func() { steady.Keep(ctx, loop, s.loopPanicked(ctx, what)) })
	}
	keep("tokens", s.tokens.Run)
	keep("uses of credentials", s.uses.Run)
	keep("usage", s.usage.Run)
	if s.audit != nil {
		keep("audit log", s.audit.Run)
	}
	keep("key sets", s.keySets.Run)
	for _, r := range s.rotations {
		r.told = s.auditRotation
		keep("rotation of "+r.what, r.run)
	}
	keep("traces", s.traces.Run)
	keep("trust in upstreams", s.trust.run)
	keep("connections to upstreams", s.followUpstreams)
	keep("cache", s.cache.Run)
	keep("breakers", s.breakers.Run)
	keep("memory", s.memory.Run)
	keep("overrides", s.overrides.Run)
	for name, conn := range s.connections() {
		keep(name, conn.Run)
	}
	if s.redis != nil {
		keep("fleet", s.fleet.Run)
	}
}

// loopPanicked tells that a loop in the background will begin anew.
func (s *stores) loopPanicked(ctx context.Context, what string) steady.Panicked {
	return func(value any, stack []byte) {
		s.panicked(ctx, "panic in the background, which begins anew", value, stack, slog.String("what", what))
	}
}

// close ends what runs in the background; run has ended.
func (s *stores) close(ctx context.Context) error {
	s.cache.Close()    // its fetches need everything below
	s.sessions.Close() // its calls need tokens
	s.tokens.Close()
	errs := []error{bounded(ctx, s.quotas.Close), bounded(ctx, s.breakers.Close), bounded(ctx, s.callers.Close), bounded(ctx, s.usage.Tell)}
	if s.tokenShared != nil {
		errs = append(errs, s.tokenShared.Close())
	}
	for _, conn := range s.connections() {
		errs = append(errs, conn.Close())
	}
	return errors.Join(append(errs, s.metrics.Shutdown(ctx))...)
}

// giveBackTimeout bounds how long an end waits to give leases and probes back.
// What is not returned expires by itself.
const giveBackTimeout = time.Second

func bounded(ctx context.Context, giveBack func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, giveBackTimeout)
	defer cancel()
	return giveBack(ctx)
}

// attempted is the attempt stage's hook.
func (s *stores) attempted(ctx context.Context, info proxy.AttemptInfo) {
	ex := exchange.From(ctx)
	s.usedByAttempt(ex, info)
	upstream := ex.Upstream
	port, _ := strconv.Atoi(cmp.Or(upstream.Port(), exchange.DefaultPort(upstream.Scheme)))
	s.metrics.Attempted(s.tracing.Load().Sampled(ctx, ex), observability.Attempt{
		Method: info.Method, Environment: info.Environment, Service: info.Service, Credential: info.Credential,
		Host: upstream.Hostname(), Port: port, Status: info.Status, ErrorType: string(info.Kind), Duration: info.Duration,
	})
}
