package redisstore_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"iqgateway/internal/redisconn"
	"iqgateway/internal/redistest"
	"iqgateway/internal/secret"
	"iqgateway/limiter"
	"iqgateway/limiter/redisstore"
)

// replica is one process of a fleet: a connection and a store of its own.
type replica struct {
	*redisstore.Store
	conn *redisconn.Conn
	seen *tally
}

// tally counts what the hooks told, by its words.
type tally struct {
	mu     sync.Mutex
	counts map[string]int
}

func (y *tally) add(words ...string) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.counts[strings.Join(words, " ")]++
}

func (y *tally) of(words ...string) int {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.counts[strings.Join(words, " ")]
}

func (y *tally) String() string {
	y.mu.Lock()
	defer y.mu.Unlock()
	if len(y.counts) == 0 {
		return ""
	}
	return fmt.Sprint(y.counts)
}

func aKey(b byte) secret.Text { return secret.New(string(bytes.Repeat([]byte{b}, 32))) }

// generous is a timeout for tests that do not test it: the machine may be busy.
const generous = 5 * time.Second

func newReplica(t testing.TB, topology redistest.Topology, timeout time.Duration) *replica {
	t.Helper()
	conn, err := redisconn.New(redisconn.Options{
		Addresses: topology.Addresses(), Mode: redisconn.Mode(topology.Mode()), MasterName: topology.MasterName(),
		Timeout: timeout, NameKey: aKey('n'),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	if err := conn.Connect(ctx); err != nil {
		t.Logf("at first: %v", err) // Run goes on trying
	}
	running.Go(func() { conn.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	seen := &tally{counts: map[string]int{}}
	store := redisstore.New(conn, redisstore.Options{
		Hooks: redisstore.Hooks{Discarded: func(field, reason string) { seen.add(field, reason) }},
	})
	return &replica{Store: store, conn: conn, seen: seen}
}

// name is the Redis key of one field of a bucket.
func (r *replica) name(key limiter.Key, field string) string {
	return r.conn.Key("quota", key.Environment, key.Service, key.Policy, key.Counted).Field(field)
}

// direct is a client of the test's own, an operator or an attacker.
func direct(t testing.TB, topology redistest.Topology) redis.UniversalClient {
	t.Helper()
	client := redis.NewUniversalClient(&redis.UniversalOptions{
		Addrs: topology.Addresses(), MasterName: topology.MasterName(), IsClusterMode: topology.Mode() == "cluster",
	})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func bucket(service string) limiter.Key {
	return limiter.Key{Environment: "production", Service: service, Policy: "authenticated", Counted: "client-id"}
}

// eventually waits until f holds; it fails the test after a generous while.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-ctx.Done():
			t.Fatalf("it never happened: %s", what)
		case <-tick.C:
		}
	}
}
