package fleet_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"iqgateway/internal/fleet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errAway = errors.New("the store is away")

// cutOff is a replica's own way to a store, which can break.
type cutOff struct {
	fleet.Store

	mu    sync.Mutex
	away  bool
	beats int
}

func (c *cutOff) set(away bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.away = away
}

func (c *cutOff) trips() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.beats
}

func (c *cutOff) err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.beats++
	if c.away {
		return errAway
	}
	return nil
}

func (c *cutOff) Beat(ctx context.Context, b fleet.Beat) (fleet.News, error) {
	if err := c.err(); err != nil {
		return fleet.News{}, err
	}
	return c.Store.Beat(ctx, b)
}

func (c *cutOff) Append(ctx context.Context, command fleet.Command) (fleet.ID, error) {
	if err := c.err(); err != nil {
		return 0, err
	}
	return c.Store.Append(ctx, command)
}

func (c *cutOff) Members(ctx context.Context) ([]fleet.Member, error) {
	if err := c.err(); err != nil {
		return nil, err
	}
	return c.Store.Members(ctx)
}

func (c *cutOff) Leave(ctx context.Context, replica string) error {
	if err := c.err(); err != nil {
		return err
	}
	return c.Store.Leave(ctx, replica)
}
