package redistest

import (
	"context"
	"errors"
	"testing"

	"github.com/redis/go-redis/v9"
)

// A Topology is one way to run Redis: alone, with sentinels, as a cluster.
type Topology interface {
	Place
	Contents
}

// A Place says how a client finds the servers.
type Place interface {
	// Mode is "single", "sentinel" or "cluster".
	Mode() string
	// Addresses are what a client is configured with: the server, the
	// sentinels, or the cluster's masters.
	Addresses() []string
	// MasterName is the sentinels' name of the master, else empty.
	MasterName() string
	// Servers are all servers that hold data, to be frozen, killed, ….
	Servers() []*Server
}

// Contents is what the servers hold. All methods need every master running.
type Contents interface {
	// Dump returns every key of every master with a text that holds all that
	// can be read about it, byte for byte: its name, type, time to live in
	// milliseconds (-1 = eternal), all its values, fields, members, scores,
	// and of a stream its consumers too.
	Dump(t testing.TB) map[string]string
	// NoEternalKeys fails the test for every key without a time to live.
	NoEternalKeys(t testing.TB)
	// FlushAll removes all keys.
	FlushAll(t testing.TB)
	// ScriptFlush makes the servers forget all scripts, so that EVALSHA
	// answers NOSCRIPT.
	ScriptFlush(t testing.TB)
}

// Each runs f as the subtests "single", "sentinel" and "cluster", one after
// the other, each against a topology of its own.
func Each(t *testing.T, f func(t *testing.T, topology Topology), o ...Option) {
	t.Helper()
	for _, mode := range []string{"single", "sentinel", "cluster"} {
		On(t, mode, f, o...)
	}
}

// On runs f as that one of the subtests of [Each] that mode names.
func On(t *testing.T, mode string, f func(t *testing.T, topology Topology), o ...Option) {
	t.Helper()
	t.Run(mode, func(t *testing.T) {
		switch mode {
		case "single":
			f(t, Single(t, o...))
		case "sentinel":
			f(t, Sentinel(t, o...))
		case "cluster":
			f(t, Cluster(t, o...))
		default:
			t.Fatalf("redistest: there is no topology %q", mode)
		}
	})
}

// contents implements [Contents].
type contents struct {
	masters func() []*Server
	all     func() []*Server // masters and replicas
}

// FlushAll implements [Contents].
func (c contents) FlushAll(t testing.TB) {
	t.Helper()
	for _, s := range c.masters() {
		s.must(t, "flush", func(ctx context.Context, r *redis.Client) error {
			return r.FlushAll(ctx).Err()
		})
	}
}

// ScriptFlush implements [Contents].
func (c contents) ScriptFlush(t testing.TB) {
	t.Helper()
	for _, s := range c.all() {
		if !s.Running() {
			continue // it will forget them by starting
		}
		s.must(t, "flush the scripts of", func(ctx context.Context, r *redis.Client) error {
			return r.ScriptFlush(ctx).Err()
		})
	}
}

// Dump implements [Contents].
func (c contents) Dump(t testing.TB) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, s := range c.masters() {
		s.must(t, "dump", func(ctx context.Context, r *redis.Client) error {
			return everyKey(ctx, r, func(key string) error {
				text, err := describe(ctx, r, key)
				if errors.Is(err, errExpired) {
					return nil
				}
				texts[key] = text
				return err
			})
		})
	}
	return texts
}

// NoEternalKeys implements [Contents].
func (c contents) NoEternalKeys(t testing.TB) {
	t.Helper()
	for _, s := range c.masters() {
		s.must(t, "check the times to live of", func(ctx context.Context, r *redis.Client) error {
			return everyKey(ctx, r, func(key string) error {
				left, err := r.Do(ctx, "PTTL", key).Int64()
				if err == nil && left == eternal {
					t.Errorf("redistest: the key %q has no time to live", key)
				}
				return err
			})
		})
	}
}
