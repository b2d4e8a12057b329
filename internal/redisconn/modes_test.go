package redisconn_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"iqgateway/internal/redisconn"
	"iqgateway/internal/redistest"
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
