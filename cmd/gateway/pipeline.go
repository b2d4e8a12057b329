package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"iqgateway/auth"
	"iqgateway/breaker"
	"iqgateway/bulkhead"
	"iqgateway/callerlimit"
	"iqgateway/config"
	"iqgateway/limiter"
	"iqgateway/observability"
	"iqgateway/proxy"
	"iqgateway/retry"
	"iqgateway/tokencache"
)

// generation is one configuration and the pipeline built from it. It holds
// parameters; what it looks up by key in the stores outlives it.
type generation struct {
	cfg     *config.Config
	callers []auth.Caller
	router  *proxy.Router
	policy  *auth.Policy
	// server serves the data listener, absolute the one for HTTP_PROXY clients.
	server   http.Handler
	absolute http.Handler

	ourTokens   *auth.GatewayTokens // that callers get for their keys; nil = none do
	issuers     *auth.Issuers       // who vouch for callers by JWT
	tokens      *tokencache.Set
	quotas      *limiter.Set
	quotaRoutes map[quotaRoute]limiter.Key
	shares      map[limiter.Name][]limiter.Share // of callers in each bucket
	pools       []*proxy.Pool
	trusts      []func()               // give up what the environments trust
	throttled   map[limiter.Key]string // buckets that have a throttle breaker, and its name
	breakers    *breaker.Set
	budgets     *retry.Set
	upstreams   *bulkhead.Set    // slots of requests under way
	limits      *callerlimit.Set // of callers with a limit of their own
	pings       *pings
	collector   *observability.Collector // that traces go to; nil = none
	tracing     *observability.Tracing
	users       users                      // it closes when the last has left
	laid        atomic.Pointer[overridden] // what its cfg is made of; nil = no overrides

	selfView *selfView // what callers may know of themselves
}

// newGeneration builds a whole pipeline or nothing.
func newGeneration(cfg *config.Config, st *stores, o pipelineOptions) (*generation, error) {
	g := &generation{cfg: cfg, callers: callers(cfg)}
	g.policy = auth.NewPolicy(g.callers)
	g.users.last = g.close
	if err := g.build(st, o); err != nil {
		g.close()
		return nil, err
	}
	return g, nil
}

// close gives back what the generation holds of the stores.
func (g *generation) close() {
	if g.issuers != nil {
		g.issuers.Release()
	}
	if g.tokens != nil {
		g.tokens.Release()
	}
	if g.quotas != nil {
		g.quotas.Release()
	}
	if g.breakers != nil {
		g.breakers.Release()
	}
	if g.budgets != nil {
		g.budgets.Release()
	}
	if g.upstreams != nil {
		g.upstreams.Release()
	}
	if g.limits != nil {
		g.limits.Release()
	}
	for _, p := range g.pools {
		p.Close()
	}
	for _, release := range g.trusts {
		release()
	}
}

// pipelineOptions is what the process, not the configuration, decides.
type pipelineOptions struct {
	replica string
	hash    string // of the configuration, below the overrides
	now     func() time.Time
	// sameCertificate reports whether one certificate of the listener serves
	// both names; nil = never.
	sameCertificate func(serverName, host string) bool
	// clientRoots are the authorities whose certificates of callers are believed
	// at the moment; nil = none is.
	clientRoots func() []*x509.Certificate
	// handlers and trippers may put something between the stages; nil = nothing.
	handlers between[http.Handler]
	trippers between[http.RoundTripper]
}

// between returns the stages of a chain with others among them.
type between[T any] func(stages []func(T) T) []func(T) T

// chain composes stages in reading order: chain(a, b)(h) is a(b(h)).
func (b between[T]) chain(stages ...func(T) T) func(T) T {
	if b != nil {
		stages = b(stages)
	}
	return chain(stages...)
}

func (g *generation) build(st *stores, o pipelineOptions) error {
	if err := g.openTracing(st); err != nil {
		return err
	}
	errorsStage := proxy.NewErrors(proxy.ErrorsOptions{Headers: headerMode(g.cfg.Server.ResponseHeaders), TraceURL: g.tracing.RefusalURL})
	router, err := proxy.NewRouter(proxy.RouterOptions{Environments: routeEnvironments(g.cfg), Refuse: errorsStage.Refuse})
	if err != nil {
		return err
	}
	g.router = router
	if g.issuers, err = st.keySets.Use(jwtIssuers(g.cfg)); err != nil {
		return fmt.Errorf("auth.jwt: %w", err)
	}
	if g.ourTokens, err = gatewayTokens(g.cfg, g.callers); err != nil {
		return err
	}
	services, err := g.openServices(st)
	if err != nil {
		return err
	}
	if g.tokens, err = g.openTokens(st); err != nil {
		return err
	}
	if err := g.openQuotas(st); err != nil {
		return err
	}
	if err := g.openBulkheads(st); err != nil {
		return err
	}
	g.limits = st.callers.Use(callerLimits(g.cfg))
	parts := stack{
		generation: g, stores: st, options: o, errors: errorsStage, services: services,
		locations: proxy.NewLocations(origins(g.cfg, router)),
	}
	g.pings = parts.pings()
	if err := g.openResilience(st); err != nil {
		return err
	}
	g.selfView = newSelfView(g, st.breakers.List, o.now)
	g.server, g.absolute = parts.compose(false), parts.compose(true)
	return nil
}

// openServices opens one pool per upstream and set of timeouts.
func (g *generation) openServices(st *stores) (proxy.Services, error) {
	services := proxy.Services{}
	var errs []error
	for s := range g.cfg.Proxied() {
		opened, err := g.openService(st, s)
		if err != nil {
			errs = append(errs, fmt.Errorf("services.%s in %s: %w", s.Name, s.Environment, err))
			continue
		}
		services[proxy.ServiceName{Environment: s.Environment, Service: s.Name}] = opened
	}
	return services, errors.Join(errs...)
}

func (g *generation) openService(st *stores, s *config.EffectiveService) (*proxy.Service, error) {
	env, _ := g.cfg.Environment(s.Environment)
	pool, err := g.openPool(st, env, s.Origin(), s.Timeouts)
	if err != nil {
		return nil, err
	}
	forward := make([]string, len(s.Headers.Forward))
	for i, name := range s.Headers.Forward {
		forward[i] = string(name)
	}
	return proxy.NewService(proxy.ServiceOptions{
		MaxBody:        int64(s.Limits.MaxBody),
		Total:          s.Timeouts.Total,
		BodyIdle:       s.Timeouts.BodyIdle,
		ForwardHeaders: forward,
		TrustedTracing: env.TrustedTracing,
		Session: proxy.ServiceSession{
			Cookies: s.Session.Cookies, PreferredEndpoint: s.Session.PreferredEndpoint, Account: g.account(env.Name),
		},
		Pool: pool,
	})
}

// account returns the func that names the account of a credential: its session
// with an upstream ends when the account changes, also by files that rotate.
func (g *generation) account(environment string) func(credential string) (string, bool) {
	return func(credential string) (string, bool) {
		return g.tokens.Account(tokencache.ID{Environment: environment, Credential: credential})
	}
}

func (g *generation) openPool(st *stores, env *config.EffectiveEnvironment, origin string, t config.Timeouts) (*proxy.Pool, error) {
	trust, release, err := st.trust.use(env.Name, env.UpstreamTLS)
	if err != nil {
		return nil, err
	}
	g.trusts = append(g.trusts, release)
	pool, err := st.transports.Open(proxy.PoolKey{Environment: env.Name, Origin: origin}, transportSettings(env, t, trust))
	if err != nil {
		return nil, err
	}
	g.pools = append(g.pools, pool)
	return pool, nil
}

// openTokens takes the configured credentials from the token cache. Token
// calls go out as all others of the environment do.
func (g *generation) openTokens(st *stores) (*tokencache.Set, error) {
	var credentials []tokencache.Credential
	for name := range g.cfg.Credentials {
		c, err := tokenCredential(g.cfg, name)
		if err != nil {
			return nil, err
		}
		env, _ := g.cfg.Environment(c.Environment)
		timeouts := g.cfg.Defaults.Timeouts
		if accounts, ok := env.Service(accountsService); ok {
			timeouts = accounts.Timeouts
		}
		pool, err := g.openPool(st, env, originOf(c.TokenURL), timeouts)
		if err != nil {
			return nil, err
		}
		calls, err := pool.For("")
		if err != nil {
			return nil, err
		}
		c.Transport = proxy.Marked(calls)
		credentials = append(credentials, c)
	}
	return st.tokens.Use(credentials)
}

// origins are the upstreams, with the names under which callers reach them
// beside the path form.
func origins(cfg *config.Config, router *proxy.Router) []proxy.Origin {
	var all []proxy.Origin
	for s := range cfg.Proxied() {
		o := proxy.Origin{Environment: s.Environment, Service: s.Name, Upstream: s.Upstream}
		if router.NativeHost(s.Upstream.Host) {
			o.Native = s.Upstream
		}
		all = append(all, o)
	}
	return all
}

// stack is everything that stages need.
type stack struct {
	generation *generation
	stores     *stores
	options    pipelineOptions
	errors     *proxy.Errors
	services   proxy.Services
	locations  *proxy.Locations
}

// compose puts the stages together:
//
//	caller
//	  │   1 observe        exchange, request id, access line, metrics
//	  │   2 sanitize       one meaning per request, or 4xx
//	  │     shed           503 while memory is short
//	  │     token endpoint clients' own token calls are answered here, with tokens of ours
//	  │   3 authenticate   who it is, or 401
//	  │     body's length  what is announced, or 413
//	  │     caller's limit one token of its rate, one of its requests under way, or 429
//	  │     self-service   /-/me and /-/requests/{id} are answered here
//	  │   4 route          environment, service, upstream path, or 404
//	  │   5 authorize      what it may, with which credential, or 403
//	  │     session        DataConnect's /session is answered here, its preferred host learned
//	  │   6 lookup         a fresh stored answer ends here
//	  ├── 7 forward        httputil.ReverseProxy; errors become problems
//	  │
//	  │   8 store          one fetch for all who ask the same; stale answers; writes drop what they change
//	  │   9 retry          safe or provably unsent requests again, within a budget
//	  │  10 token          a valid token; after a 401 a new one and one replay
//	  │  11 gate           an open breaker refuses before any queue, with 503
//	  │  12 quota          one token of the bucket per attempt, after a wait; or 429
//	  │     slot           one of the upstream's requests under way, after a wait; or 503
//	  │  13 permit         the breaker's permit; its end is that of the answer's body
//	  │  14 attempt        Authorization, session cookie, measurements, idle bodies
//	  ▼  15 dial           one http.Transport per upstream and credential
//	upstream
//
// Handlers run once per exchange, in the order of the drawing; round trippers
// below forward run once per attempt, but for a fetch that several exchanges
// share.
func (s stack) compose(absolute bool) http.Handler {
	headers := headerMode(s.generation.cfg.Server.ResponseHeaders)
	kept := s.cacheStages(proxy.NewAnswers(s.locations, headers))

	g, breakers := s.generation, s.generation.breakerStage()
	upstream := g.held(s.options.trippers.chain(
		g.budgets.Stage(retry.StageOptions{Kind: retryKind}),                  // 9
		g.tokens.Stage(tokencache.StageOptions{}),                             // 10
		g.breakers.Gate(breakers),                                             // 11
		g.quotas.Stage(limiter.StageOptions{Bucket: bucketOf(g.quotaRoutes)}), // 12
		g.upstreams.Stage(),                                                   // inside the quota: nobody holds a slot while it waits for a token
		g.breakers.Permit(breakers),                                           // 13
	)(s.attempt())) // 14, 15

	forward := proxy.NewForward(proxy.ForwardOptions{ // 7
		Transport: s.options.trippers.chain(kept.Store)(upstream), // 8
		Services:  s.services, Errors: s.errors, Locations: s.locations, Headers: headers,
	})
	return s.options.handlers.chain(
		observability.Observe(s.observe()), // 1
		s.generation.noteOverrides,
		proxy.Sanitize(s.sanitize(absolute)), // 2
		s.stores.memory.Stage(s.errors.Refuse),
		auth.TokenEndpoint(s.tokenEndpoint()),
		auth.Authenticate(s.authenticate()), // 3
		proxy.BodyLength(int64(s.generation.cfg.Server.Limits.MaxBody), s.errors.Refuse),
		s.generation.limits.Stage(s.errors.Refuse),
		s.self().stage,
		s.generation.router.Route,     // 4
		auth.Authorize(s.authorize()), // 5
		proxy.NewSession(proxy.SessionOptions{
			Transport: upstream, Services: s.services, Sessions: s.stores.sessions, Locations: s.locations,
			Errors: s.errors, Headers: headers,
		}),
		s.showQuota,
		kept.Lookup, // 6
	)(forward)
}

// chain composes stages in reading order: chain(a, b)(h) is a(b(h)).
func chain[T any](stages ...func(T) T) func(T) T {
	return func(last T) T {
		for _, stage := range slices.Backward(stages) {
			last = stage(last)
		}
		return last
	}
}

func (s stack) attempt() http.RoundTripper {
	return proxy.NewAttempt(proxy.AttemptOptions{
		Services: s.services, Sessions: s.stores.sessions, Hooks: proxy.AttemptHooks{Done: s.stores.attempted},
	})
}

func (s stack) observe() observability.ObserveOptions {
	return observability.ObserveOptions{
		Replica: s.options.replica, Config: s.options.hash, Logger: s.stores.log, Metrics: s.stores.metrics, Audit: s.stores.audit, Recent: s.stores.recent, Now: s.options.now,
		Tracing:         s.generation.tracing,
		Ended:           s.stores.usedBy,
		QueryParameters: s.generation.cfg.Telemetry.Logs.QueryParameters,
		TrustedProxies:  s.generation.cfg.Server.TrustedProxies,
		Refuse:          s.errors.Refuse,
	}
}

func (s stack) sanitize(absolute bool) proxy.SanitizeOptions {
	o := sanitizeOptions(s.generation.cfg, s.generation.router, absolute, s.errors.Refuse)
	o.SameCertificate = s.options.sameCertificate
	return o
}

// sanitizeOptions are those of the data listener, or of the one for HTTP_PROXY
// clients.
func sanitizeOptions(cfg *config.Config, router *proxy.Router, absolute bool, refuse func(http.ResponseWriter, *http.Request, error)) proxy.SanitizeOptions {
	limits := cfg.Server.Limits
	return proxy.SanitizeOptions{
		Hosts:            cfg.Server.Hosts,
		NativeHost:       router.NativeHost,
		AllowAbsolute:    absolute,
		MaxURI:           int(limits.MaxURI),
		MaxHeader:        int(limits.MaxHeader),
		MaxBody:          int64(limits.MaxBody),
		BodyIdleTimeout:  orForever(limits.BodyIdleTimeout),
		WriteIdleTimeout: orForever(limits.WriteIdleTimeout),
		Refuse:           refuse,
	}
}

func (s stack) authenticate() auth.AuthenticateOptions {
	headers := make([]string, len(s.generation.cfg.Auth.KeyHeaders))
	for i, name := range s.generation.cfg.Auth.KeyHeaders {
		headers[i] = string(name)
	}
	return auth.AuthenticateOptions{
		ClientRoots: s.options.clientRoots, Issuers: s.generation.issuers,
		Callers: s.generation.callers, KeyHeaders: headers, Uses: s.stores.uses, Tokens: s.generation.ourTokens, Refuse: s.errors.Refuse,
	}
}

func (s stack) authorize() auth.AuthorizeOptions {
	return auth.AuthorizeOptions{Policy: s.generation.policy, Refuse: s.errors.Refuse}
}

// originOf returns scheme://host of an absolute URL that was checked before.
func originOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw
	}
	return u.Scheme + "://" + u.Host
}
