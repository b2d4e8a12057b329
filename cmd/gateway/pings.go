package main

import (
	"context"
	"fmt"
	"net/http"

	"iqgateway/config"
	"iqgateway/internal/exchange"
	"iqgateway/limiter"
	"iqgateway/proxy"
	"iqgateway/tokencache"
)

// pings ask upstreams whether they are well, as requests of the gateway's own.
type pings struct {
	replica   string
	transport http.RoundTripper
	attempt   http.RoundTripper // its last part
	targets   map[serviceKey]pingTarget
	patient   bool // they wait for quota as somebody at a screen does
}

// pingTarget is where a ping goes, with which credential.
type pingTarget struct {
	target     exchange.Target
	credential string
}

// pings returns those of the services that some caller may use. They take what
// every request takes, but for the breaker, whose state they are to find out,
// and repetitions.
func (s stack) pings() *pings {
	g := s.generation
	p := &pings{replica: s.options.replica, targets: map[serviceKey]pingTarget{}, attempt: s.attempt()}
	p.transport = g.pingStages(nil)(p.attempt)
	for service := range g.cfg.Proxied() {
		if t, ok := pingOf(g.cfg, g.router, service); ok {
			p.targets[serviceKey{service.Environment, service.Name}] = t
		}
	}
	return p
}

// pingStages are what pings pass; below, when not nil, follows the token's.
func (g *generation) pingStages(below func(http.RoundTripper) http.RoundTripper) func(http.RoundTripper) http.RoundTripper {
	if below == nil {
		below = chain[http.RoundTripper]()
	}
	return chain(
		g.tokens.Stage(tokencache.StageOptions{}),
		below,
		g.quotas.Stage(limiter.StageOptions{Bucket: bucketOf(g.quotaRoutes)}),
		g.upstreams.Stage(),
	)
}

// pingOf returns where a service is pinged, if its ping is known and somebody
// may use it.
func pingOf(cfg *config.Config, router *proxy.Router, s *config.EffectiveService) (pingTarget, bool) {
	credentials := cfg.CredentialsOf(s)
	if s.Ping == "" || len(credentials) == 0 {
		return pingTarget{}, false
	}
	target, problem := router.Resolve(proxy.Request{
		Method: http.MethodGet, Path: "/" + s.Environment + "/" + s.Name + s.Ping, Environments: []string{s.Environment},
	})
	return pingTarget{target, credentials[0]}, problem == nil && !target.Write && !target.Session
}

// ask pings a service once. Unless it is patient it waits for no quota: who asks
// wants to know now.
func (p *pings) ask(ctx context.Context, at serviceKey) (proxy.Pong, error) {
	to := p.targets[at]
	ex := &exchange.Exchange{ID: p.replica + "-ping", Credential: to.credential, Class: "background", NoWait: true}
	if p.patient {
		ex.Class, ex.NoWait = "interactive", false
	}
	ex.SetTarget(to.target)
	return proxy.Ping(ctx, p.transport, ex)
}

// probe returns what tells a breaker whether its upstream is well; nil where no
// ping is known. Only a success is proof.
func (p *pings) probe(at serviceKey) func(context.Context) error {
	if _, known := p.targets[at]; !known {
		return nil
	}
	return func(ctx context.Context) error {
		pong, err := p.ask(ctx, at)
		if err == nil && pong.Status/100 != 2 {
			err = fmt.Errorf("the ping was answered with status %d", pong.Status)
		}
		return err
	}
}
