package redisconn

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// Between two looks for a lost server, before jitter: the first is quick
	// for a failover, the longest keeps recovery well below a second.
	firstPause = 50 * time.Millisecond
	lastPause  = 500 * time.Millisecond
	// connectSteps of one timeout each are dialling, logging in, asking a
	// sentinel or a cluster for its nodes, and one command.
	connectSteps = 6
)

// Connect looks for the server once, within a few Timeouts. An error leaves
// the Conn usable: Run keeps looking. It does nothing when the server is there.
func (c *Conn) Connect(ctx context.Context) error {
	select {
	case c.connecting <- struct{}{}:
		defer func() { <-c.connecting }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if c.live.Load() != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, connectSteps*c.options.Timeout)
	defer cancel()
	t, err := c.knownTarget(ctx)
	if err != nil {
		return c.notFound(err)
	}
	client := c.newClient(t)
	if err := c.probe(ctx, client); err != nil {
		_ = client.Close()
		return c.notFound(err)
	}
	return c.adopt(client, t)
}

func (c *Conn) knownTarget(ctx context.Context) (target, error) {
	c.mu.Lock()
	t := c.target
	c.mu.Unlock()
	if t.mode != "" {
		return t, nil
	}
	return c.detect(ctx)
}

func (c *Conn) notFound(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status.LastError = err.Error()
	return err
}

// probe is a write that changes nothing: a demoted master still answers reads.
func (c *Conn) probe(ctx context.Context, client redis.UniversalClient) error {
	err := client.Del(ctx, c.Key("probe").Field("none")).Err()
	var failed *Error
	switch {
	case errors.As(err, &failed) && verdictOf(failed.Reason) == verdictFine:
		return nil // refused, by a server that is well
	case errors.As(err, &failed):
		return &Error{Operation: "probe", Reason: failed.Reason}
	default:
		return err
	}
}

// Run looks for the server whenever it is away, until ctx ends. Without it a
// lost server stays lost.
func (c *Conn) Run(ctx context.Context) {
	pause := firstPause
	for ctx.Err() == nil {
		_ = c.closeRetired() // nothing can be done about lost connections
		if s := c.live.Load(); s != nil {
			pause = firstPause
			c.watch(ctx, s)
			continue
		}
		if !sleep(ctx, c.jittered(pause)) {
			return
		}
		if c.Connect(ctx) != nil {
			pause = min(2*pause, lastPause)
		}
	}
}

// watch waits until the session is lost. Woken because calls pile up, it asks
// the server itself: callers with short deadlines never would.
func (c *Conn) watch(ctx context.Context, s *session) {
	select {
	case <-ctx.Done():
		return
	case <-c.wake:
	}
	if c.live.Load() != s {
		return
	}
	bounded, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	if err := c.probe(bounded, s.client); err != nil && ctx.Err() == nil {
		c.lose(s, err)
	}
}

// jittered is between half of d and d, so that replicas do not ask together.
func (c *Conn) jittered(d time.Duration) time.Duration {
	return d/2 + time.Duration(c.options.Random()*float64(d/2))
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
