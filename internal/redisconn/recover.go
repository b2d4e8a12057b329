package redisconn

import (
	"context"
	"errors"
	"time"
)

const (
	// Between two looks for a lost server, before jitter: the first is quick
	// for a failover, the longest keeps recovery well below a second.
	firstPause = 50 * time.Millisecond
	lastPause  = 500 * time.Millisecond
	// settled is how long a server must have been in use for its loss to be a
	// new one.
	settled = time.Second
	// longPause is the longest for a server that is found and lost in turns: one
	// whose round trip is about half a timeout, so that new connections come too
	// late, costs some callers a timeout each time.
	longPause = 4 * time.Second
	// connectSteps of one timeout each are dialling (see dialSteps), logging in
	// and one command.
	connectSteps = dialSteps + 3
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
	s, t, err := c.find(ctx)
	if err != nil {
		return c.notFound(err)
	}
	return c.adopt(s, t)
}

// find gives a session whose server has just answered.
func (c *Conn) find(ctx context.Context) (*session, target, error) {
	ctx, cancel := context.WithTimeout(ctx, connectSteps*c.options.Timeout)
	defer cancel()
	t, err := c.knownTarget(ctx)
	if err != nil {
		return nil, t, err
	}
	s := c.session(t)
	if err := c.probe(ctx, s); err != nil {
		_ = s.client.Close()
		return nil, t, err
	}
	return s, t, nil
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
func (c *Conn) probe(ctx context.Context, s *session) error {
	err := s.client.Del(ctx, c.Key("probe").Field("none")).Err()
	failed, ok := errors.AsType[*Error](err)
	switch {
	case !ok:
		return err
	case failed.Reason == "NOPERM": // by a server that is well
		return nil
	case verdictOf(failed.Reason) == verdictFine:
		return &settingsError{"mode: " + string(s.mode) + " does not fit, the server answers a write with " + string(failed.Reason) + "; auto finds it out"}
	default:
		return &Error{Operation: "probe", Reason: failed.Reason}
	}
}

// Run looks for the server whenever it is away, until ctx ends. Without it a
// lost server stays lost.
func (c *Conn) Run(ctx context.Context) {
	pause, unsteady := firstPause, 0
	for ctx.Err() == nil {
		_ = c.closeRetired() // nothing can be done about lost connections
		if s := c.live.Load(); s != nil {
			c.watch(ctx, s)
			if c.live.Load() == s {
				continue
			}
			pause = firstPause
			// A cluster is also lost by one node that comes back, which must not
			// take the others away for long; late nodes have their own breakers.
			if s.nodes == nil && c.options.Now().Sub(s.adopted) < settled {
				unsteady++
			} else {
				unsteady = 0
			}
			continue
		}
		c.sleep(ctx, pause, nil)
		if unsteady > 0 && c.answers(ctx) {
			c.sleep(ctx, unsteadyPause(unsteady), nil)
		}
		if c.Connect(ctx) != nil { // an outage, whose end is to be noticed
			pause, unsteady = min(2*pause, lastPause), 0
		}
	}
}

// answers reports whether the server would be found.
func (c *Conn) answers(ctx context.Context) bool {
	s, _, err := c.find(ctx)
	if err == nil {
		_ = s.client.Close()
	}
	return err == nil
}

// unsteadyPause is how long a server that answers is left alone after it was
// found and lost so many times in a row.
func unsteadyPause(times int) time.Duration {
	pause := firstPause
	for range min(times, 10) {
		pause = min(4*pause, longPause)
	}
	return pause
}

// watch waits for trouble, and stays until it is over or the session lost.
func (c *Conn) watch(ctx context.Context, s *session) {
	select {
	case <-ctx.Done():
	case <-c.wake:
	}
	pause := firstPause
	for ctx.Err() == nil && c.live.Load() == s && !c.settle(ctx, s) {
		c.sleep(ctx, pause, c.wake)
		pause = min(2*pause, lastPause)
	}
}

// settle asks the server itself, as callers with short deadlines never would.
// It reports whether there is nothing left to watch.
func (c *Conn) settle(ctx context.Context, s *session) bool {
	bounded, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	if s.nodes == nil {
		if err := c.probe(bounded, s); err != nil && ctx.Err() == nil {
			c.lose(s, err)
		}
		return true
	}
	well, away := s.nodes.check(bounded)
	if well == 0 && ctx.Err() == nil {
		c.lose(s, &Error{Operation: "probe", Reason: ReasonUnreachable})
	}
	if away > 0 {
		s.nodes.reload(ctx) // another node may have taken over
	}
	return away == 0
}

// sleep waits for between half of d and d, so that replicas do not ask
// together, or until ctx or early say something.
func (c *Conn) sleep(ctx context.Context, d time.Duration, early <-chan struct{}) {
	timer := time.NewTimer(d/2 + time.Duration(c.options.Random()*float64(d/2)))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-early:
	case <-timer.C:
	}
}
