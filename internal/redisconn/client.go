package redisconn

import (
	"context"
	"net"
	"runtime"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"iqgateway/internal/secret"
)

const (
	// idleTime is below the 350 s after which common NATs forget a connection,
	// which would then cost the next call its whole timeout.
	idleTime = 4 * time.Minute
	// dialSteps of one timeout each may pass in the background until there is a
	// connection: calls do not wait for it beyond their own bound. A sentinel
	// that hangs takes several before another is asked.
	dialSteps = 5
	// connsPerCPU and minConns size the pool of each server.
	connsPerCPU = 10
	minConns    = 32
	// maxRedirects is how often a cluster may send one command elsewhere.
	maxRedirects = 3
)

// target is what the addresses turned out to be.
type target struct {
	mode       Mode
	masterName string
}

// credentials are read anew for each connection.
type credentials struct {
	username string
	password secret.Text
}

// silent replaces the library's logger, which writes addresses and errors to
// stderr. There is one for the whole process and no other way to quiet it; its
// content reaches us as errors anyway.
type silent struct{}

// Printf implements the library's logger.
func (silent) Printf(context.Context, string, ...any) {}

// session makes a client for the target; it dials nothing yet.
func (c *Conn) session(t target) *session {
	o := c.clientOptions()
	s := &session{mode: t.mode, breaker: newBreaker(c.options.Timeout)}
	switch t.mode {
	case ModeCluster:
		s.client, s.nodes = c.openCluster(o.Cluster())
	case ModeSentinel:
		o.MasterName = t.masterName
		s.client = redis.NewFailoverClient(o.Failover())
	default:
		s.client = redis.NewClient(o.Simple())
	}
	s.client.AddHook(reducer{})
	return s
}

func (c *Conn) openCluster(o *redis.ClusterOptions) (*redis.ClusterClient, *nodes) {
	// Else each client asks every node for its table of commands.
	o.DisableRoutingPolicies = true
	client := redis.NewClusterClient(o)
	guards := &nodes{now: c.options.Now, timeout: c.options.Timeout, troubled: c.rouse, reload: client.ReloadState}
	client.OnNewNode(guards.add)
	return client, guards
}

func (c *Conn) clientOptions() *redis.UniversalOptions {
	timeout := c.options.Timeout
	return &redis.UniversalOptions{
		Addrs: c.options.Addresses,
		CredentialsProviderContext: func(context.Context) (string, string, error) {
			now := c.credentials.Load()
			return now.username, now.password.Reveal(), nil
		},
		SentinelPassword:      c.sentinel.Load().Reveal(),
		TLSConfig:             c.options.TLS,
		ContextTimeoutEnabled: true,
		DialTimeout:           dialSteps * timeout,
		ReadTimeout:           timeout,
		WriteTimeout:          timeout,
		PoolTimeout:           timeout / 2, // told apart from a silent server
		PoolSize:              max(minConns, connsPerCPU*runtime.GOMAXPROCS(0)),
		ConnMaxIdleTime:       idleTime,
		// Repeating is the store's decision: a command that timed out may have
		// been executed.
		MaxRetries:       -1,
		DialerRetries:    1,
		MaxRedirects:     maxRedirects,
		PipelinePoolSize: -1, // one pool is enough
		DisableIdentity:  true,
		MaintNotificationsConfig: &maintnotifications.Config{
			Mode: maintnotifications.ModeDisabled,
		},
	}
}

// reducer makes every error safe before a store sees it.
type reducer struct{}

// DialHook implements redis.Hook.
func (reducer) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

// ProcessHook implements redis.Hook.
func (reducer) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error { return reduce(next(ctx, cmd)) }
}

// ProcessPipelineHook implements redis.Hook.
func (reducer) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		for _, cmd := range cmds {
			cmd.SetErr(reduce(cmd.Err()))
		}
		return reduce(err)
	}
}
