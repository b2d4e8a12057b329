package redisstore_test

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"iqgateway/internal/redisconn"
	"iqgateway/internal/redistest"
	"iqgateway/internal/secret"
	"iqgateway/override"
	"iqgateway/override/redisstore"
	"iqgateway/override/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func aKey(b byte) secret.Text { return secret.New(string(bytes.Repeat([]byte{b}, 32))) }

// newStore is one process of a fleet: a connection and a store of its own.
func newStore(t *testing.T, topology redistest.Topology, keys ...secret.Text) *redisstore.Store {
	t.Helper()
	o := redisconn.Options{
		Addresses: topology.Addresses(), Mode: redisconn.Mode(topology.Mode()), MasterName: topology.MasterName(),
		Timeout: 5 * time.Second, NameKey: aKey('n'),
	}
	if len(keys) > 0 {
		ring, err := redisconn.NewKeyring(keys)
		if err != nil {
			t.Fatal(err)
		}
		o.Keys = ring
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
	return redisstore.New(conn)
}

func TestStoreKeepsTheContract(t *testing.T) {
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		one, other := newStore(t, topology, aKey('k')), newStore(t, topology, aKey('k'))
		storetest.Run(t, func(t *testing.T) storetest.Fleet {
			if _, err := one.Update(t.Context(), func([]override.Override) ([]override.Override, error) { return nil, nil }); err != nil {
				t.Fatal(err)
			}
			return storetest.Fleet{One: one, Other: other}
		})
		topology.NoEternalKeys(t)
	})
}

func set(id string) func([]override.Override) ([]override.Override, error) {
	return func(all []override.Override) ([]override.Override, error) {
		return append(all, override.Override{ID: id, Key: "callers.canary.blocked", Value: "true", Reason: "canary", Left: time.Hour}), nil
	}
}

func TestNothingStandsInRedisInClear(t *testing.T) {
	server := redistest.Single(t)
	if _, err := newStore(t, server, aKey('k')).Update(t.Context(), set("a")); err != nil {
		t.Fatal(err)
	}
	dump := server.Dump(t)
	if len(dump) != 2 {
		t.Errorf("%d keys", len(dump))
	}
	for key, value := range dump {
		if strings.Contains(key+value, "canary") {
			t.Errorf("%s = %s", key, value)
		}
	}
}

// Without keys whoever may write to Redis could command the gateway.
func TestNothingIsSharedWithoutKeys(t *testing.T) {
	s := newStore(t, redistest.Single(t))
	if _, err := s.Load(t.Context()); err == nil {
		t.Error("it loads")
	}
	if _, err := s.Update(t.Context(), set("a")); err == nil {
		t.Error("it updates")
	}
}

// What cannot be opened is unknown to who looks, and no obstacle to an order.
func TestForeignValues(t *testing.T) {
	server := redistest.Single(t)
	if _, err := newStore(t, server, aKey('x')).Update(t.Context(), set("foreign")); err != nil {
		t.Fatal(err)
	}
	s := newStore(t, server, aKey('k'))
	if found, err := s.Load(t.Context()); err == nil {
		t.Errorf("%+v", found)
	}
	if _, err := s.Update(t.Context(), set("ours")); err != nil {
		t.Fatal(err)
	}
	if found, err := s.Load(t.Context()); err != nil || len(found.All) != 1 || found.All[0].ID != "ours" {
		t.Errorf("%+v, %v", found, err)
	}
}

// A key of another type makes room, and a server that has lost everything says so.
func TestLossIsTold(t *testing.T) {
	server := redistest.Single(t)
	s := newStore(t, server, aKey('k'))
	if _, err := s.Update(t.Context(), set("a")); err != nil {
		t.Fatal(err)
	}
	for key := range server.Dump(t) {
		server.CLI(t, "DEL", key)
		server.CLI(t, "LPUSH", key, "x")
	}
	if found, err := s.Load(t.Context()); err != nil || !found.Empty {
		t.Errorf("%+v, %v", found, err)
	}
	if made, err := s.Update(t.Context(), set("b")); err != nil || !made.Empty {
		t.Errorf("%+v, %v", made, err)
	}
	if made, err := s.Update(t.Context(), set("c")); err != nil || made.Empty {
		t.Errorf("%+v, %v", made, err)
	}
}
