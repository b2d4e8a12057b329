package limiter

import (
	"context"
	"sync"
	"testing"
	"time"
)

// BenchmarkAcquire takes a token while a lease lasts, and books its answer,
// beside what is the least that any shared counter costs.
func BenchmarkAcquire(b *testing.B) {
	b.Run("bucket", func(b *testing.B) {
		take := leasedBucket(b)
		b.ReportAllocs()
		for b.Loop() {
			take()
		}
	})
	b.Run("bucket parallel", func(b *testing.B) {
		take := leasedBucket(b)
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				take()
			}
		})
	})
	b.Run("mutex", func(b *testing.B) {
		var mu sync.Mutex
		var n int64
		b.ReportAllocs()
		for b.Loop() {
			mu.Lock()
			n++
			mu.Unlock()
		}
	})
}

// leasedBucket returns a func that takes one token and answers it, of a bucket whose
// limit nobody reaches.
func leasedBucket(b *testing.B) (take func()) {
	b.Helper()
	l := New(Options{Replica: "r1"})
	set, err := l.Use([]Bucket{{Key: rigKey(), Settings: patient()}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close(context.Background()) })
	bucket, pool := set.buckets[rigKey()], newWaiters()
	const limit = int64(1) << 40
	end := time.Now().Truncate(time.Hour).Add(time.Hour)
	seen := Observation{
		Status: 200, Kind: Windowed, Limit: limit, Remaining: limit - 1, Reset: end.UTC(),
		ResetSeconds: int64(time.Until(end) / time.Second), HasResetSeconds: true,
	}
	deadline := time.Now().Add(time.Hour)
	return func() {
		w := pool.get("pos", Interactive, deadline)
		ticket, refusal := bucket.acquire(b.Context(), w)
		pool.put(w)
		if ticket == nil {
			b.Fatal(refusal)
		}
		bucket.answered(ticket, seen, false)
	}
}
