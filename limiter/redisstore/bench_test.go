package redisstore_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"iqgateway/internal/redistest"
	"iqgateway/limiter"
)

// BenchmarkAcquire compares an Ask with what one round trip costs anyway, and
// reports how long Redis works on it.
func BenchmarkAcquire(b *testing.B) {
	server := redistest.Single(b)
	r := newReplica(b, server, redistest.Generous)
	b.Run("PING", func(b *testing.B) {
		for b.Loop() {
			err := r.conn.Call(b.Context(), "ping", func(ctx context.Context, c redis.UniversalClient) error { return c.Ping(ctx).Err() })
			if err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, size := range []struct{ replicas, callers, asking int }{{1, 1, 1}, {3, 20, 20}, {16, 64, 8}, {16, 64, 64}} {
		b.Run(fmt.Sprintf("%dx%d-%d-asking", size.replicas, size.callers, size.asking), func(b *testing.B) {
			server.FlushAll(b)
			f := newCrowd(b, r, size.replicas, size.callers)
			server.CLI(b, "CONFIG", "RESETSTAT")
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				f.ask(b, i%size.replicas, size.asking)
				i++
			}
			b.ReportMetric(scriptMicros(b, server), "redis-µs/op")
		})
	}
}

// crowd is a fleet of which every replica serves every caller.
type crowd struct {
	store   limiter.Store
	key     limiter.Key
	asks    []limiter.Ask
	callers int
}

func newCrowd(b *testing.B, r *replica, replicas, callers int) *crowd {
	f := &crowd{store: r.Store, key: bucket("crowd"), callers: callers}
	shares := []limiter.Share{{Caller: "caller-0", Guarantee: limiter.Amount{Percent: 20}, Weight: 2}}
	for i := range replicas {
		f.asks = append(f.asks, limiter.Ask{
			Replica: strconv.Itoa(i), RTT: 50, Parameters: limiter.Parameters{SharesID: 1, Shares: shares},
		})
		f.ask(b, i, callers)
	}
	now := must[limiter.Snapshot](b)(f.store.View(b.Context(), f.key, nil)).Now
	for i := range f.asks {
		f.asks[i].Seen = []limiter.Seen{{
			Name: now + 60_000, Limit: 1 << 30, Used: 1, Sent: now, First: now, Last: now, Lo: now + 59_000, Hi: now + time.Hour.Milliseconds(),
		}}
		f.ask(b, i, callers)
	}
	return f
}

func (f *crowd) ask(b *testing.B, i, asking int) {
	b.Helper()
	a := &f.asks[i]
	a.Seq++
	a.Uses = nil
	for c := range f.callers {
		u := limiter.Use{Caller: fmt.Sprintf("caller-%d", c), Spent: 100 + int64(c), Arrived: 110}
		if c < asking {
			u.Waiting = 3
		}
		a.Uses = append(a.Uses, u)
	}
	answer, err := f.store.Acquire(b.Context(), f.key, *a)
	if err != nil {
		b.Fatal(err)
	}
	if answer.Epoch == 0 {
		b.Fatalf("%+v", answer)
	}
	a.Epoch, a.Name, a.Shares = answer.Epoch, answer.Name, nil
}

// scriptMicros is how long Redis has worked on a script on average.
func scriptMicros(t testing.TB, server *redistest.Server) float64 {
	t.Helper()
	for line := range strings.Lines(server.CLI(t, "INFO", "commandstats")) {
		if rest, ok := strings.CutPrefix(line, "cmdstat_evalsha:"); ok {
			_, after, _ := strings.Cut(rest, "usec_per_call=")
			number, _, _ := strings.Cut(after, ",")
			micros, err := strconv.ParseFloat(number, 64)
			if err != nil {
				t.Fatal(err)
			}
			return micros
		}
	}
	t.Fatal("no script has run")
	return 0
}
