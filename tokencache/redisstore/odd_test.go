package redisstore_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"iqgateway/internal/redistest"
	"iqgateway/tokencache"
)

// oddCase puts something under one of the store's names that the store would
// not have written.
type oddCase struct {
	name    string
	field   string
	counted string // what the hooks count; "" = nothing to count
	put     func(ctx context.Context, c redis.UniversalClient, name string) error
}

func wrongTypes() []oddCase {
	var cases []oddCase
	for _, field := range []string{"state", "token", "history", "lock"} {
		cases = append(cases,
			oddCase{"list", field, field + " type", func(ctx context.Context, c redis.UniversalClient, name string) error {
				return c.RPush(ctx, name, "a", "b").Err()
			}},
			oddCase{"stream", field, field + " type", func(ctx context.Context, c redis.UniversalClient, name string) error {
				return c.XAdd(ctx, &redis.XAddArgs{Stream: name, Values: []string{"a", "b"}}).Err()
			}},
		)
		if field == "state" {
			cases = append(cases, oddCase{"string", field, field + " type", func(ctx context.Context, c redis.UniversalClient, name string) error {
				return c.Set(ctx, name, "text", 0).Err()
			}})
			continue
		}
		cases = append(cases,
			oddCase{"hash", field, field + " type", func(ctx context.Context, c redis.UniversalClient, name string) error {
				return c.HSet(ctx, name, "a", "b").Err()
			}},
			oddCase{"50 MB", field, field + " size", func(ctx context.Context, c redis.UniversalClient, name string) error {
				return c.SetRange(ctx, name, 50_000_000, "x").Err()
			}},
		)
	}
	return cases
}

func oddNumbers() []oddCase {
	var cases []oddCase
	for _, text := range []string{"", "banana", "-5", "1.5", "nan", "inf", "1e300", "99999999999999999999", strings.Repeat("9", 100_000)} {
		for _, number := range []string{"fence", "saved", "accepted", "hsaved", "released", "forgiven"} {
			cases = append(cases, oddCase{number + " " + text[:min(len(text), 20)], "state", "state number", func(ctx context.Context, c redis.UniversalClient, name string) error {
				return c.HSet(ctx, name, number, text).Err()
			}})
		}
	}
	return cases
}

func oddTexts() []oddCase {
	set := func(text string) func(ctx context.Context, c redis.UniversalClient, name string) error {
		return func(ctx context.Context, c redis.UniversalClient, name string) error {
			return c.Set(ctx, name, text, 0).Err()
		}
	}
	var cases []oddCase
	for _, text := range []string{"x", "\x00\xff", `{"v":1}`, strings.Repeat("A", 60_000)} {
		cases = append(cases,
			oddCase{fmt.Sprintf("text %.10q", text), "token", "token malformed", set(text)},
			oddCase{fmt.Sprintf("text %.10q", text), "history", "token-history malformed", set(text)},
			oddCase{fmt.Sprintf("text %.10q", text), "lock", "lock malformed", set(text)},
		)
	}
	for _, lock := range []string{":", "a:", ":1", "a:b", "a:-1", "a:99999999999999999999", "a:1:2"} {
		cases = append(cases, oddCase{"lock " + lock, "lock", "lock malformed", set(lock)})
	}
	return append(cases, oddCase{"forgiven ahead", "state", "state number", func(ctx context.Context, c redis.UniversalClient, name string) error {
		return c.HSet(ctx, name, "forgiven", time.Now().Add(time.Hour).UnixMilli()).Err()
	}}, oddCase{"fence ahead", "state", "", func(ctx context.Context, c redis.UniversalClient, name string) error {
		return c.HSet(ctx, name, "fence", "5000000000000000").Err()
	}})
}

func TestForeignDataIsHealedAndCounted(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		r := newReplica(t, topology, setup{})
		client := redistest.Client(t, topology)
		cases := append(append(wrongTypes(), oddNumbers()...), oddTexts()...)
		for i, c := range cases {
			key := storeKey(fmt.Sprint("case ", i))
			r.granted(t, key, "before", tokencache.History{Failures: 1})
			if c.field == "state" && strings.HasSuffix(c.counted, "type") || c.field != "state" {
				client.Del(t.Context(), r.name(key, c.field))
			}
			before := r.seen.Of(c.counted)
			if err := c.put(t.Context(), client, r.name(key, c.field)); err != nil {
				t.Fatalf("%s of %s: %v", c.name, c.field, err)
			}
			r.mustLoad(t, key)
			generation := r.granted(t, key, "after", tokencache.History{Failures: 2})
			got := r.mustLoad(t, key)
			if got.Generation != generation || got.Token.Field.Reveal() != "Bearer after" || got.History.Failures != 2 {
				t.Errorf("%s of %s: not healed: %+v", c.name, c.field, got)
			}
			if c.counted != "" && r.seen.Of(c.counted) == before {
				t.Errorf("%s of %s: %q was not counted", c.name, c.field, c.counted)
			}
		}
		topology.NoEternalKeys(t)
	})
}

// Values that our key sealed and that this version did not write: another
// schema, or a fault.
func TestSealedNonsenseIsACountedMiss(t *testing.T) {
	topology := redistest.Single(t)
	r := newReplica(t, topology, setup{})
	client := redistest.Client(t, topology)
	key := storeKey("main")
	version := r.granted(t, key, "before", tokencache.History{})
	for field, kind := range map[string]string{"token": "token", "history": "token-history"} {
		for i, plain := range []string{"", "null", "not JSON", `{"v":99}`, `{"v":1,"field":{},"failures":"x"}`, `{"v":1,"expires":1e30,"failures":1e30}`} {
			name := r.name(key, field)
			sealed := must[string](t)(r.conn.Seal(kind, name, version, []byte(plain)))
			if err := client.Set(t.Context(), name, sealed, time.Hour).Err(); err != nil {
				t.Fatal(err)
			}
			got := r.mustLoad(t, key)
			if field == "token" && got.Generation != 0 || got.History.Failures != 0 {
				t.Errorf("%s %s is served: %+v", field, plain, got)
			}
			if n := r.seen.Of(field, "unreadable"); n < i+1 {
				t.Errorf("%s %s: %d counted, want %d", field, plain, n, i+1)
			}
		}
	}
}

// A token whose time to live was taken away expires nevertheless.
func TestAnExpiredValueIsNotServed(t *testing.T) {
	topology := redistest.Single(t)
	r := newReplica(t, topology, setup{})
	client := redistest.Client(t, topology)
	key := storeKey("main")
	version := r.granted(t, key, "before", tokencache.History{})
	name := r.name(key, "token")
	past := time.Now().Add(-time.Second).UnixMilli()
	sealed := must[string](t)(r.conn.Seal("token", name, version, fmt.Appendf(nil, `{"v":1,"field":"Bearer x","issued":1,"expires":%d}`, past)))
	if err := client.Set(t.Context(), name, sealed, 0).Err(); err != nil {
		t.Fatal(err)
	}
	if got := r.mustLoad(t, key); got.Generation != 0 || !got.Token.Field.IsZero() {
		t.Errorf("served: %+v", got)
	}
}

func TestALockWithoutAnEndGetsOne(t *testing.T) {
	topology := redistest.Single(t)
	r := newReplica(t, topology, setup{lockTTL: 100 * time.Millisecond})
	key := storeKey("main")
	if err := redistest.Client(t, topology).Set(t.Context(), r.name(key, "lock"), "somebody:17", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if claim, _, err := r.Claim(t.Context(), key); claim != nil || err != nil {
		t.Fatalf("the lock does not hold: %v", err)
	}
	redistest.Eventually(t, "the lock ends", func() bool {
		claim, _, err := r.Claim(t.Context(), key)
		if err != nil || claim == nil {
			return false
		}
		claim.Release()
		return true
	})
}

func TestWithoutMemoryNothingIsLost(t *testing.T) {
	server := redistest.Single(t)
	r := newReplica(t, server, setup{})
	key := storeKey("main")
	generation := r.granted(t, key, "before", tokencache.History{})
	claim := r.mustClaim(t, key)
	server.SetMaxMemory(t, 1, "noeviction")
	if _, err := claim.Grant(t.Context(), aToken("after"), tokencache.History{}); err == nil {
		t.Error("Grant wrote without memory")
	}
	if got := r.mustLoad(t, key); got.Generation != generation {
		t.Errorf("half a write happened: %+v", got)
	}
	server.SetMaxMemory(t, 0, "noeviction")
	must[uint64](t)(claim.Grant(t.Context(), aToken("after"), tokencache.History{}))
}
