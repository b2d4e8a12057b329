package redisconn

import (
	"context"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Facts are what one server tells of itself.
type Facts struct {
	// Clock is the server's, and Skew what it is ahead of ours by, known to the
	// half of what the question took.
	Clock time.Time
	Skew  time.Duration
	// Info has the fields of INFO that operators know: redis_version,
	// maxmemory_policy and so on; nil = the user may not ask.
	Info map[string]string
}

// Examine asks every server that takes writes what it is.
func (c *Conn) Examine(ctx context.Context) ([]Facts, error) {
	var mu sync.Mutex
	var all []Facts
	err := c.Call(ctx, "examine", func(ctx context.Context, r redis.UniversalClient) error {
		return onEach(ctx, r, func(ctx context.Context, server redis.Cmdable) error {
			facts, err := c.examine(ctx, server)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, facts)
			return nil
		})
	})
	return all, err
}

func onEach(ctx context.Context, r redis.UniversalClient, f func(context.Context, redis.Cmdable) error) error {
	if cluster, is := r.(*redis.ClusterClient); is {
		return cluster.ForEachMaster(ctx, func(ctx context.Context, member *redis.Client) error { return f(ctx, member) })
	}
	return f(ctx, r)
}

func (c *Conn) examine(ctx context.Context, server redis.Cmdable) (Facts, error) {
	before := c.options.Now()
	clock, err := server.Time(ctx).Result()
	if err != nil {
		return Facts{}, err
	}
	took := c.options.Now().Sub(before)
	facts := Facts{Clock: clock, Skew: clock.Sub(before.Add(took / 2))}
	text, err := server.Info(ctx).Result() // a user needs no right to it
	if err == nil {
		facts.Info = maps.Collect(infoFields(text))
	}
	return facts, nil
}

func infoFields(text string) func(yield func(string, string) bool) {
	return func(yield func(string, string) bool) {
		for line := range strings.Lines(text) {
			name, value, ok := strings.Cut(strings.TrimSpace(line), ":")
			if ok && !yield(name, value) {
				return
			}
		}
	}
}

// tryScript uses what the scripts of all stores use: keys, expiry and the clock.
const tryScript = `
redis.call('SET', KEYS[1], ARGV[1], 'PX', 10000)
redis.call('HSET', KEYS[2], 'try', redis.call('TIME')[1])
redis.call('PEXPIRE', KEYS[2], 10000)
local kept = redis.call('GET', KEYS[1])
redis.call('DEL', KEYS[1], KEYS[2])
return kept == ARGV[1] and 1 or 0`

// Try does on a key of its own, named by what, what stores do: it fails where
// the user lacks a right, or the server takes no writes.
func (c *Conn) Try(ctx context.Context, what string) error {
	key := c.Key("doctor", what)
	return c.Call(ctx, "try", func(ctx context.Context, r redis.UniversalClient) error {
		return redis.NewScript(tryScript).Run(ctx, r, []string{key.Field("text"), key.Field("hash")}, what).Err()
	})
}
