package redisstore_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"iqgateway/breaker"
	"iqgateway/internal/redistest"
)

// Whatever lies under our names is a record or counts as absent, is reported,
// and is no obstacle to what comes.
func TestForeignValuesAreIgnored(t *testing.T) {
	server := redistest.Single(t)
	r := newReplica(t, server, nil)
	client := redistest.Client(t, server)
	hidden := r.conn.Hide("breaker", name)
	now := time.Now().UnixMilli()
	record := func(format string, args ...any) func(context.Context) error {
		return func(ctx context.Context) error {
			return client.HSet(ctx, r.name("records"), hidden, fmt.Sprintf(format, args...)).Err()
		}
	}
	tests := map[string]struct {
		counted string
		put     func(context.Context) error
	}{
		"a string": {"records type", func(ctx context.Context) error {
			return client.SetArgs(ctx, r.name("records"), "x", redis.SetArgs{}).Err()
		}},
		"a list":                 {"claims type", func(ctx context.Context) error { return client.RPush(ctx, r.name("claims"), "x").Err() }},
		"no record":              {"records malformed", record("banana")},
		"a later version of it":  {"records malformed", record("2 5 open %d %d 0 {}", now+1000, now)},
		"another state":          {"records malformed", record("1 5 ajar %d %d 0 {}", now+1000, now)},
		"a negative step":        {"records malformed", record("1 5 open %d %d -1 {}", now+1000, now)},
		"a number that is none":  {"records malformed", record("1 99999999999999999999 open %d %d 0 {}", now+1000, now)},
		"no detail":              {"records malformed", record("1 5 open %d %d 0 {", now+1000, now)},
		"an end far away":        {"records time", record("1 5 open %d %d 0 {}", now+1e12, now)},
		"a beginning in a while": {"records time", record("1 5 open %d %d 0 {}", now+1e6, now+1e6)},
		"a giant":                {"records size", record("1 5 open %d %d 0 %s", now+1000, now, strings.Repeat("x", 10_000))},
		"a great many": {"records size", func(ctx context.Context) error {
			fields := make(map[string]string)
			for i := range 10_001 {
				fields[fmt.Sprint(i)] = "x"
			}
			return client.HSet(ctx, r.name("records"), fields).Err()
		}},
	}
	for title, tt := range tests {
		t.Run(title, func(t *testing.T) {
			server.FlushAll(t)
			if err := tt.put(t.Context()); err != nil {
				t.Fatal(err)
			}
			field, reason, _ := strings.Cut(tt.counted, " ")
			before := r.seen.Of(field, reason)
			if all, err := r.Load(t.Context(), []string{name}); err != nil || len(all) != 0 {
				t.Errorf("%v, %v", all, err)
			}
			if r.seen.Of(field, reason) != before+1 {
				t.Errorf("not counted as %s: %s", tt.counted, r.seen)
			}
			granted, _, err := r.Claim(t.Context(), name, breaker.Probe{ID: "p", Limit: 1, TTL: time.Minute})
			if err != nil || !granted {
				t.Errorf("claim: %v, %v", granted, err)
			}
			if got, err := r.Apply(t.Context(), name, breaker.Change{State: breaker.Open, For: time.Minute, By: "a"}); err != nil || got.State != breaker.Open || got.By != "a" {
				t.Errorf("%+v, %v", got, err)
			}
			server.NoEternalKeys(t)
		})
	}
}

func TestForeignClaimsAreIgnored(t *testing.T) {
	server := redistest.Single(t)
	r := newReplica(t, server, nil)
	client := redistest.Client(t, server)
	for _, text := range []string{"banana", "=;", "ff=1;", fmt.Sprintf("ff=%d;", time.Now().UnixMilli()+1e12), strings.Repeat("ff=9;", 5000)} {
		if err := client.HSet(t.Context(), r.name("claims"), r.conn.Hide("breaker", name), text).Err(); err != nil {
			t.Fatal(err)
		}
		granted, _, err := r.Claim(t.Context(), name, breaker.Probe{ID: "p", Limit: 1, TTL: time.Minute})
		if err != nil || !granted {
			t.Errorf("%q: %v, %v", text[:min(20, len(text))], granted, err)
		}
	}
}

// Redis forgets, or its clock jumps back on a failover: versions grow on, so
// that replicas follow what comes.
func TestVersionsOutliveALoss(t *testing.T) {
	server := redistest.Single(t)
	r := newReplica(t, server, nil)
	last := uint64(0)
	for range 5 {
		got, err := r.Apply(t.Context(), name, breaker.Change{State: breaker.Closed})
		if err != nil || got.Version <= last {
			t.Errorf("version %d after %d, %v", got.Version, last, err)
		}
		last = got.Version
		server.FlushAll(t)
	}
}

// Records that have ended long ago are swept with the next look.
func TestOldRecordsAreSwept(t *testing.T) {
	server := redistest.Single(t)
	r := newReplica(t, server, nil)
	client := redistest.Client(t, server)
	old := time.Now().Add(-breaker.Keep - time.Minute).UnixMilli()
	if err := client.HSet(t.Context(), r.name("records"), "0123456789ab", fmt.Sprintf("1 5 open %d %d 0 {}", old, old)).Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Load(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if n := client.HLen(t.Context(), r.name("records")).Val(); n != 0 {
		t.Errorf("%d records are left", n)
	}
	if odd := r.seen.String(); odd != "" {
		t.Errorf("counted %s", odd)
	}
}
