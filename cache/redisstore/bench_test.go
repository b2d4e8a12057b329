package redisstore_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"iqgateway/cache"
	"iqgateway/internal/redistest"
)

// BenchmarkTier compares a Put and a Get with a bare SET and GET of as many
// bytes through the same connection.
func BenchmarkTier(b *testing.B) {
	server := redistest.Single(b)
	r := newReplica(b, server, setup{})
	line := `{"Id":1234567,"Name":"Product","Price":` // repeated as JSON of an upstream repeats itself
	for name, size := range map[string]int{"1KiB": 1 << 10, "50KiB": 50 << 10} {
		text := strings.Repeat(line, size/len(line)+1)[:size]
		b.Run(name, func(b *testing.B) {
			bare := func(f func(ctx context.Context, c redis.UniversalClient) error) func() error {
				return func() error { return r.conn.Call(b.Context(), "bare", f) }
			}
			for _, m := range []struct {
				name string
				call func() error
			}{
				{"SET", bare(func(ctx context.Context, c redis.UniversalClient) error {
					return c.Set(ctx, "iqgw:bare", text, time.Minute).Err()
				})},
				{"Put", func() error { return r.Put(b.Context(), name, []byte(text), time.Minute, "") }},
				{"GET", bare(func(ctx context.Context, c redis.UniversalClient) error { return c.Get(ctx, "iqgw:bare").Err() })},
				{"Get", func() error { _, err := r.Get(b.Context(), name); return err }},
			} {
				b.Run(m.name, func(b *testing.B) {
					b.ReportAllocs()
					b.SetBytes(int64(size))
					for b.Loop() {
						if err := m.call(); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		})
	}
}

// BenchmarkLog is what a replica does twenty times a second, and what a write
// costs.
func BenchmarkLog(b *testing.B) {
	r := newReplica(b, redistest.Single(b), setup{})
	p := r.append(b, anEvent(1))
	b.Run("Since", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			r.since(b, p)
		}
	})
	id := uint64(1)
	b.Run("Append", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			id++
			must[cache.Position](b)(r.Append(b.Context(), []cache.Event{anEvent(id)}))
		}
	})
}
