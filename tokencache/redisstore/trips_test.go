package redisstore_test

import (
	"context"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"iqgateway/internal/redistest"
	"iqgateway/tokencache"
)

func TestEveryMethodIsOneRoundTrip(t *testing.T) {
	server := redistest.Single(t)
	r := newReplica(t, server, setup{})
	key := storeKey("main")
	var claim tokencache.Claim
	methods := []struct {
		name string
		call func(ctx context.Context) error
	}{
		{"Load", func(ctx context.Context) error { _, err := r.Load(ctx, key); return err }},
		{"Claim", func(ctx context.Context) (err error) { claim, _, err = r.Claim(ctx, key); return err }},
		{"Grant", func(ctx context.Context) error {
			_, err := claim.Grant(ctx, aToken("a"), tokencache.History{})
			return err
		}},
		{"Fail", func(ctx context.Context) error { return claim.Fail(ctx, tokencache.History{}) }},
		{"Accepted", func(ctx context.Context) error { return r.Accepted(ctx, key, 1) }},
		{"Release", func(context.Context) error { claim.Release(); return nil }},
		{"Forget", func(ctx context.Context) error { return r.Forget(ctx, key, tokencache.ForgetHistory) }},
	}
	for _, known := range []string{"calls=1", ""} { // the first round tells Redis the scripts
		for _, m := range methods {
			server.CLI(t, "CONFIG", "RESETSTAT")
			if err := m.call(t.Context()); err != nil {
				t.Fatalf("%s: %v", m.name, err)
			}
			if byHash, byText := server.ScriptCalls(t); byHash != "calls=1" || byText != known {
				t.Errorf("%s: EVALSHA %s, EVAL %s, want %q", m.name, byHash, byText, known)
			}
		}
	}
}

// BenchmarkLoad compares a Load with what one round trip costs anyway.
func BenchmarkLoad(b *testing.B) {
	server := redistest.Single(b)
	r := newReplica(b, server, setup{})
	key := storeKey("main")
	r.granted(b, key, strings.Repeat("t", 900), tokencache.History{})
	b.Run("GET", func(b *testing.B) {
		b.ReportAllocs()
		name := r.name(key, "token")
		for b.Loop() {
			err := r.conn.Call(b.Context(), "get", func(ctx context.Context, c redis.UniversalClient) error {
				return c.Get(ctx, name).Err()
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Load", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := r.Load(b.Context(), key); err != nil {
				b.Fatal(err)
			}
		}
	})
}
