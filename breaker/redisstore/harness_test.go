package redisstore_test

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"time"

	"iqgateway/breaker/redisstore"
	"iqgateway/internal/redisconn"
	"iqgateway/internal/redistest"
	"iqgateway/internal/secret"
)

// replica is one process of a fleet: a connection and a store of its own.
type replica struct {
	*redisstore.Store
	conn *redisconn.Conn
	seen *redistest.Tally
}

func aKey(b byte) secret.Text { return secret.New(string(bytes.Repeat([]byte{b}, 32))) }

// generous is a timeout for tests that do not test it: the machine may be busy.
const generous = 5 * time.Second

func newReplica(t testing.TB, topology redistest.Topology, edit func(*redisconn.Options)) *replica {
	t.Helper()
	o := redisconn.Options{
		Addresses: topology.Addresses(), Mode: redisconn.Mode(topology.Mode()), MasterName: topology.MasterName(),
		Timeout: generous, NameKey: aKey('n'),
	}
	if edit != nil {
		edit(&o)
	}
	conn, err := redisconn.New(o)
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
	seen := &redistest.Tally{}
	store := redisstore.New(conn, redisstore.Options{
		Hooks: redisstore.Hooks{Discarded: func(field, reason string) { seen.Add(field, reason) }},
	})
	return &replica{Store: store, conn: conn, seen: seen}
}

// name is the Redis key of one field.
func (r *replica) name(field string) string { return r.conn.Key("breaker").Field(field) }
