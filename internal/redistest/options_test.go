package redistest_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"iqgateway/internal/redistest"
)

// odd holds what a configuration file or a command line could mistake.
const odd = "p \"a'ss\\ \x01#wörd"

func TestPasswords(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		without := client(t, topology, func(o *redis.UniversalOptions) { o.SentinelPassword = "sentinels'" })
		if err := without.Set(t.Context(), "k", "v", time.Minute).Err(); !refused(err) {
			t.Errorf("without the password: %v", err)
		}
		with := client(t, topology, func(o *redis.UniversalOptions) {
			o.Password, o.SentinelPassword = odd, "sentinels'"
		})
		set(t, with, "k", "v")
		if dump := topology.Dump(t); len(dump) != 1 {
			t.Errorf("the dump has %d keys", len(dump))
		}
		if trio, ok := topology.(*redistest.Trio); ok {
			trio.Failover(t)
			if reply := trio.Sentinels()[0].CLI(t, "PING"); reply != "PONG" {
				t.Error(reply)
			}
		}
	}, redistest.WithPassword(odd), redistest.WithSentinelPassword("sentinels'"))
}

func refused(err error) bool {
	return err != nil && (strings.Contains(err.Error(), "NOAUTH") || strings.Contains(err.Error(), "WRONGPASS"))
}

func TestUsers(t *testing.T) {
	server := redistest.Single(
		t,
		redistest.WithUser("gateway", odd, "~iqgw:*", "+@all", "-@dangerous"),
		redistest.WithUser("root", "r"),
	)
	as := func(name, password string) redis.UniversalClient {
		return client(t, server, func(o *redis.UniversalOptions) { o.Username, o.Password = name, password })
	}
	if err := as("", "").Set(t.Context(), "iqgw:a", "v", time.Minute).Err(); !refused(err) {
		t.Errorf("nobody: %v", err)
	}
	if err := as("gateway", "wrong").Set(t.Context(), "iqgw:a", "v", time.Minute).Err(); !refused(err) {
		t.Errorf("a wrong password: %v", err)
	}
	set(t, as("gateway", odd), "iqgw:a", "v")
	if err := as("gateway", odd).Set(t.Context(), "other:a", "v", time.Minute).Err(); !redis.HasErrorPrefix(err, "NOPERM") {
		t.Errorf("another key: %v", err)
	}
	if err := as("gateway", odd).FlushAll(t.Context()).Err(); !redis.HasErrorPrefix(err, "NOPERM") {
		t.Errorf("a dangerous command: %v", err)
	}
	set(t, as("root", "r"), "other:a", "v")
	if dump := server.Dump(t); len(dump) != 2 {
		t.Errorf("the harness sees %d keys, want 2", len(dump))
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		trusting := topology.Servers()[0].TLS()
		if trusting == nil {
			t.Fatal("no TLS settings for clients")
		}
		set(t, client(t, topology, func(o *redis.UniversalOptions) { o.TLSConfig = trusting }), "k", "v")

		strict := trusting.Clone()
		strict.RootCAs = nil // the machine's, which do not know the test's
		distrusting := client(t, topology, func(o *redis.UniversalOptions) { o.TLSConfig = strict })
		if err := ping(t, distrusting, 500*time.Millisecond); err == nil {
			t.Error("a client that does not know the authority got in")
		}
		plain := client(t, topology, func(o *redis.UniversalOptions) { o.MaxRetries = -1 })
		if err := ping(t, plain, 500*time.Millisecond); err == nil {
			t.Error("a client without TLS got in")
		}
		if reply := topology.Servers()[0].CLI(t, "PING"); reply != "PONG" {
			t.Error(reply)
		}
		if trio, ok := topology.(*redistest.Trio); ok {
			trio.Failover(t)
		}
	}, redistest.WithTLS())
}

func TestMemoryIsBounded(t *testing.T) {
	server := redistest.Single(t, redistest.WithMaxMemory(4<<20, "noeviction"))
	r := client(t, server)
	value := strings.Repeat("x", 64<<10)
	fill := func() error {
		for i := range 100 {
			if err := r.Set(t.Context(), "k"+strconv.Itoa(i), value, time.Minute).Err(); err != nil {
				return err
			}
		}
		return nil
	}
	if err := fill(); !redis.HasErrorPrefix(err, "OOM") {
		t.Errorf("6 MB into 4 MB: %v", err)
	}
	server.SetMaxMemory(t, 0, "noeviction")
	if err := fill(); err != nil {
		t.Errorf("without a bound: %v", err)
	}
	server.SetMaxMemory(t, 4<<20, "allkeys-lru")
	set(t, r, "another", "x")
	if left := len(server.Dump(t)); left > 64 {
		t.Errorf("%d keys of 64 KiB are in 4 MiB: nothing was evicted", left)
	}
}
