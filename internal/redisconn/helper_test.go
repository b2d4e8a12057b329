package redisconn_test

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"iqgateway/internal/redisconn"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// started is a Conn that runs until the test ends; it need not be connected.
func started(t testing.TB, o redisconn.Options) *redisconn.Conn {
	t.Helper()
	c, err := redisconn.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-done
		if err := c.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return c
}

func awaitUp(t testing.TB, c *redisconn.Conn, within time.Duration) {
	t.Helper()
	await(t, within, func() bool { return c.Status().Up }, func() string { return "not up: " + c.Status().LastError })
}

func await(t testing.TB, within time.Duration, ok func() bool, state func() string) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(within); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("after %v: %s", within, state())
		}
	}
}

func set(key string) func(context.Context, redis.UniversalClient) error {
	return func(ctx context.Context, r redis.UniversalClient) error {
		return r.Set(ctx, key, "v", time.Minute).Err()
	}
}
