package redisstore_test

import (
	"context"
	"testing"
	"time"

	"iqgateway/cache"
	"iqgateway/internal/redistest"
)

func TestEveryMethodIsOneRoundTrip(t *testing.T) {
	server := redistest.Single(t)
	r := newReplica(t, server, setup{})
	id := uint64(0)
	methods := []struct {
		name string
		call func(ctx context.Context) error
	}{
		{"Get", func(ctx context.Context) error { _, err := r.Get(ctx, "a"); return err }},
		{"Claim", func(ctx context.Context) error { _, _, err := r.Claim(ctx, "a", time.Minute); return err }},
		{"Renew", func(ctx context.Context) error { _, err := r.Renew(ctx, "a", "x", time.Minute); return err }},
		{"Put", func(ctx context.Context) error { return r.Put(ctx, "a", []byte("x"), time.Minute, "x") }},
		{"Release", func(ctx context.Context) error { return r.Release(ctx, "a", "x", time.Minute) }},
		{"Append", func(ctx context.Context) error {
			id++
			_, err := r.Append(ctx, []cache.Event{anEvent(id)})
			return err
		}},
		{"Since", func(ctx context.Context) error { _, err := r.Since(ctx, cache.Position{}); return err }},
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
	if n := r.mustGet(t, "a"); string(n.Value) != "x" {
		t.Errorf("%+v", n)
	}
}
