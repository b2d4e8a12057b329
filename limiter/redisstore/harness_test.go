package redisstore_test

import (
	"testing"
	"time"

	"iqgateway/internal/redisconn"
	"iqgateway/internal/redistest"
	"iqgateway/limiter"
	"iqgateway/limiter/redisstore"
)

// replica is one process of a fleet: a connection and a store of its own.
type replica struct {
	*redisstore.Store
	conn *redisconn.Conn
	seen *redistest.Tally
}

func newReplica(t testing.TB, topology redistest.Topology, timeout time.Duration) *replica {
	t.Helper()
	conn := redistest.Connect(t, topology, redisconn.Options{Timeout: timeout})
	seen := &redistest.Tally{}
	store := redisstore.New(conn, redisstore.Options{
		Hooks: redisstore.Hooks{Discarded: func(field, reason string) { seen.Add(field, reason) }},
	})
	return &replica{Store: store, conn: conn, seen: seen}
}

// name is the Redis key of one field of a bucket.
func (r *replica) name(key limiter.Key, field string) string {
	return r.conn.Key("quota", key.Environment, key.Service, key.Policy, key.Counted).Field(field)
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
