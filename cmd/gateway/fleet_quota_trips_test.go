package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"iqgateway/internal/redistest"
)

// Requests seldom wait for Redis, and Redis is seldom asked: it counts the
// trips of the bucket itself, at a load that uses the whole limit. The short
// form measures half of a window of 20 s with the same rate.
func TestFleetAsksRedisSeldom(t *testing.T) {
	window, measured := 20*time.Second, 10*time.Second
	if *long {
		window, measured = time.Minute, time.Minute
	}
	for _, tt := range []struct {
		perMinute int
		most      float64 // trips per request
	}{{1000, 0.3}, {10_000, 0.05}} {
		t.Run(fmt.Sprint(tt.perMinute), func(t *testing.T) {
			t.Parallel()
			server := redistest.Single(t)
			limit := int(float64(tt.perMinute) * window.Minutes())
			q := newQuotaFleet(t, server, quotaOptions{limit: limit, window: window})
			var demands []demand
			for _, app := range q.apps {
				rate := float64(limit) / window.Seconds() / float64(len(q.apps))
				demands = append(demands, demand{caller: app, rate: rate, random: true})
			}
			load := q.offer(t, demands...)
			pass(t, 3*time.Second) // everybody has come
			enough := int64(float64(limit) * 0.85 * measured.Seconds() / window.Seconds())
			got := seldom{}
			for tries := 3; tries > 0 && got.requests < enough; tries-- { // a busy machine has not offered the load
				got = q.measureTrips(t, server, measured)
				t.Logf("%d requests to the upstream in %s, %d trips to Redis: %.3f per request (all scripts of Redis, those of members and tokens too: %d)",
					got.requests, measured, got.trips, got.ratio(), got.commands)
			}
			load.stop()
			if got.requests < enough || got.ratio() > tt.most {
				t.Errorf("%d requests of %d, %.3f trips for each, want at most %.2f", got.requests, limit, got.ratio(), tt.most)
			}
			after := q.Counts()["sandbox"]["crm"]
			if after.OverQuota > 0 {
				t.Errorf("the upstream refused %d", after.OverQuota)
			}
		})
	}
}

// seldom is what was counted in a time.
type seldom struct{ requests, trips, commands int64 }

// ratio is the trips for each request.
func (s seldom) ratio() float64 { return float64(s.trips) / float64(s.requests) }

func (q *quotaFleet) measureTrips(t *testing.T, server *redistest.Server, lasting time.Duration) seldom {
	t.Helper()
	count := func() seldom {
		return seldom{q.Counts()["sandbox"]["crm"].Requests, quotaTrips(t, server), evalsha(t, server)}
	}
	before := count()
	pass(t, lasting)
	after := count()
	return seldom{after.requests - before.requests, after.trips - before.trips, after.commands - before.commands}
}

// quotaTrips is how many trips the one bucket has counted, in Redis.
func quotaTrips(t *testing.T, server *redistest.Server) int64 {
	t.Helper()
	const script = `local text = redis.call('GET', KEYS[1])
return cmsgpack.unpack(string.sub(text, string.find(text, ' ', 1, true) + 1)).Trips`
	var key string
	for name := range server.Dump(t) {
		if strings.HasPrefix(name, "iqgw:quota:") && strings.HasSuffix(name, ":state") {
			if key != "" {
				t.Fatalf("two buckets: %s and %s", key, name)
			}
			key = name
		}
	}
	return number(t, server.CLI(t, "EVAL", script, "1", key))
}

// evalsha is how many scripts the server has run.
func evalsha(t *testing.T, server *redistest.Server) int64 {
	t.Helper()
	for line := range strings.Lines(server.CLI(t, "INFO", "commandstats")) {
		if rest, found := strings.CutPrefix(line, "cmdstat_evalsha:calls="); found {
			calls, _, _ := strings.Cut(rest, ",")
			return number(t, calls)
		}
	}
	return 0
}

func number(t *testing.T, text string) (n int64) {
	t.Helper()
	if _, err := fmt.Sscan(text, &n); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return n
}
