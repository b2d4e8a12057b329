package redisconn_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"iqgateway/internal/redisconn"
	"iqgateway/internal/redistest"
	"iqgateway/internal/secret"
)

func TestModeIsFoundOut(t *testing.T) {
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		c := started(t, redisconn.Options{Addresses: topology.Addresses()})
		if err := c.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := c.Status(); string(got.Mode) != topology.Mode() || !got.Up {
			t.Errorf("status %+v, want mode %s and up", got, topology.Mode())
		}
		for _, name := range []string{"a", "b", "c", "d", "e", "f"} { // all over the cluster
			key := c.Key("token", name).Field("value")
			if err := c.Call(t.Context(), "test.set", set(key)); err != nil {
				t.Errorf("set: %v", err)
			}
			err := c.Call(t.Context(), "test.get", func(ctx context.Context, r redis.UniversalClient) error {
				_, err := r.Get(ctx, key+":absent").Result()
				return err
			})
			if !errors.Is(err, redis.Nil) {
				t.Errorf("missing key gives %v, want redis.Nil", err)
			}
		}
	})
}

func TestScriptsAndPipelines(t *testing.T) {
	script := redis.NewScript(`return redis.call("INCR", KEYS[1])`)
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		c := started(t, redisconn.Options{Addresses: topology.Addresses(), Timeout: time.Second})
		awaitUp(t, c, recovery)
		key := c.Key("k", "a")
		for want := range 4 {
			var got int
			err := c.Call(t.Context(), "test.script", func(ctx context.Context, r redis.UniversalClient) error {
				var err error
				got, err = script.Run(ctx, r, []string{key.Field("n")}).Int()
				return err
			})
			if err != nil || got != want+1 {
				t.Errorf("script: %d, %v", got, err)
			}
			topology.ScriptFlush(t)
		}
		err := c.Call(t.Context(), "test.pipeline", func(ctx context.Context, r redis.UniversalClient) error {
			commands, err := r.TxPipelined(ctx, func(p redis.Pipeliner) error {
				p.Expire(ctx, key.Field("n"), time.Minute)
				p.LPush(ctx, key.Field("n"), "s3cret")
				return nil
			})
			if got := commands[0].Err(); got != nil {
				t.Errorf("first command: %v", got)
			}
			if got := commands[1].Err(); got == nil || got.Error() != "redis: WRONGTYPE" {
				t.Errorf("second command: %v", got)
			}
			return err
		})
		if err == nil || err.Error() != "redis: test.pipeline: WRONGTYPE" || !c.Status().Up {
			t.Errorf("pipeline: %v, status %+v", err, c.Status())
		}
		topology.NoEternalKeys(t) // and looking for the server leaves none
		if n := len(topology.Dump(t)); n != 1 {
			t.Errorf("%d keys, want the script's", n)
		}
	})
}

func TestSettledModeNeedsNoQuestion(t *testing.T) {
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		c := started(t, redisconn.Options{
			Addresses: topology.Addresses(), Mode: redisconn.Mode(topology.Mode()), MasterName: topology.MasterName(),
		})
		awaitUp(t, c, 3*time.Second) // Run alone finds it
		if err := c.Call(t.Context(), "test.set", set(c.Key("token", "a").Field("value"))); err != nil {
			t.Error(err)
		}
	})
}

// The sentinels' password rotates as the server's does.
func TestSentinelPasswordRotates(t *testing.T) {
	topology := redistest.Sentinel(t, redistest.WithSentinelPassword("second"))
	c := started(t, redisconn.Options{Addresses: topology.Addresses(), SentinelPassword: secret.New("first"), Timeout: time.Second})
	if err := c.Connect(t.Context()); err == nil {
		t.Fatal("the sentinels take another password")
	}
	c.SetSentinelPassword(secret.New("second"))
	if err := c.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := c.Status(); got.Mode != redisconn.ModeSentinel || !got.Up {
		t.Errorf("status %+v", got)
	}
}
