package redisconn

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"iqgateway/internal/steady"
)

// nodes guards the nodes of a cluster one by one, so that a frozen one costs
// the keys of the others nothing.
type nodes struct {
	now     func() time.Time
	timeout time.Duration // of a call
	// troubled is called when a node was found away or silent.
	troubled func()
	// reload makes the cluster client ask who serves what.
	reload func(context.Context)

	mu  sync.Mutex
	all []*node
}

func (n *nodes) add(client *redis.Client) {
	guard := &node{client: client, owner: n, breaker: newBreaker(n.timeout)}
	client.AddHook(guard)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = append(n.all, guard)
}

func (n *nodes) list() []*node {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.all)
}

func (n *nodes) remove(gone *node) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = slices.DeleteFunc(n.all, func(g *node) bool { return g == gone })
}

// check asks every node, within ctx, and reports how many answer and how many
// do not. Nodes that the cluster has dropped are forgotten.
func (n *nodes) check(ctx context.Context) (well, away int) {
	all := n.list()
	results := make(chan error, len(all))
	for _, guard := range all {
		go func() {
			err := errCheckPanicked
			steady.Try(func() { err = guard.check(ctx) }, nil) // a node that is away, as for every other reason
			results <- err
		}()
	}
	for range all {
		switch err := <-results; {
		case err == nil:
			well++
		case errors.Is(err, redis.ErrClosed):
		default:
			away++
		}
	}
	return well, away
}

var errCheckPanicked = errors.New("the check of a node panicked")

// node is the breaker of one node, as a hook of its client.
type node struct {
	client *redis.Client
	owner  *nodes

	mu      sync.Mutex
	breaker breaker
	away    bool
}

// uncounted marks the guard's own questions.
type uncounted struct{}

// DialHook implements redis.Hook.
func (g *node) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements redis.Hook.
func (g *node) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		return g.guard(ctx, func() error { return next(ctx, cmd) })
	}
}

// ProcessPipelineHook implements redis.Hook.
func (g *node) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := g.guard(ctx, func() error { return next(ctx, cmds) })
		failed, ok := errors.AsType[*Error](err)
		unsent := ok && (failed.Reason == ReasonAway || failed.Reason == ReasonStalled)
		for _, cmd := range cmds {
			if unsent {
				cmd.SetErr(err)
			} else { // those before a broken connection were answered
				cmd.SetErr(nodeError(cmd.Err()))
			}
		}
		return err
	}
}

func (g *node) guard(ctx context.Context, send func() error) error {
	if ctx.Value(uncounted{}) != nil {
		return send()
	}
	began := g.owner.now()
	if refused := g.enter(began); refused != "" {
		return &Error{Reason: refused, ofNode: true}
	}
	v := verdictNeutral
	defer func() { g.leave(v) }()
	err := nodeError(send())
	v = nodeVerdict(err)
	if deadline, ok := ctx.Deadline(); ok && v != verdictFine && deadline.Sub(began) < g.owner.timeout/2 {
		v = verdictNeutral // it had little time to answer
	}
	return err
}

func nodeVerdict(err error) verdict {
	if errors.Is(err, context.Canceled) {
		return verdictNeutral
	}
	if failed, ok := errors.AsType[*Error](err); ok {
		return verdictOf(failed.Reason)
	}
	return verdictFine
}

// nodeError takes from the cluster client the errors that it would repeat a
// command for although it may have been executed. Replies stay: it follows
// redirections and looks for the new master by them.
func nodeError(err error) error {
	safe := reduce(err)
	failed, ok := errors.AsType[*Error](safe)
	if !ok {
		return safe
	}
	if reply, ok := errors.AsType[redis.Error](err); ok && clusterActsOn(failed.Reason) {
		return reply
	}
	return &Error{Reason: failed.Reason, ofNode: true}
}

func clusterActsOn(r Reason) bool {
	switch r {
	case "READONLY", "CLUSTERDOWN", "TRYAGAIN":
		return true
	default:
		return verdictOf(r) == verdictFine
	}
}

// enter gives the reason when nothing may be sent.
func (g *node) enter(now time.Time) (refused Reason) {
	g.mu.Lock()
	away, entered := g.away, false
	if !away {
		entered = g.breaker.enter(now)
	}
	g.mu.Unlock()
	switch {
	case away:
		return ReasonAway
	case !entered:
		g.owner.troubled()
		return ReasonStalled
	default:
		return ""
	}
}

func (g *node) leave(v verdict) {
	g.mu.Lock()
	newlyAway := g.breaker.leave(g.owner.now(), v) && !g.away
	g.away = g.away || newlyAway
	g.mu.Unlock()
	if newlyAway {
		g.owner.troubled()
	}
}

func (g *node) check(ctx context.Context) error {
	err := g.client.Ping(context.WithValue(ctx, uncounted{}, true)).Err()
	if errors.Is(err, redis.ErrClosed) {
		g.owner.remove(g)
		return err
	}
	if failed, ok := errors.AsType[*Error](reduce(err)); ok && verdictOf(failed.Reason) == verdictFine {
		err = nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.away = err != nil
	if !g.away {
		g.breaker.failures = 0
	}
	return err
}
