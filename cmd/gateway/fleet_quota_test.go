package main

import (
	"math"
	"net/http"
	"testing"
	"time"

	"iqgateway/internal/redistest"
)

// Twenty equal callers offer five times the limit to three gateways, and one
// caller with a guarantee uses half of that: every window is used up and none
// is overrun, the twenty get the same, and the one never waits.
func TestFleetKeepsTheQuota(t *testing.T) {
	if !*long {
		keepsTheQuota(t, redistest.Single(t), quotaOptions{limit: 250, window: 5 * time.Second}, 3)
		return
	}
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		keepsTheQuota(t, topology, quotaOptions{limit: 500, window: 10 * time.Second}, 6)
	})
}

func keepsTheQuota(t *testing.T, topology redistest.Topology, o quotaOptions, windows int) {
	o.quota = "max_wait: {batch: 12s}, shares: {till: 20%}"
	q := newQuotaFleet(t, topology, o)
	demands := q.overload(5)
	guarantee := float64(o.limit) / 5 / o.window.Seconds()
	load := q.offer(t, append(demands, demand{caller: till, rate: guarantee / 2})...)
	start := q.fullWindows(t, windows)
	calls := load.stop()

	seen := q.windows("crm", start, windows)
	used := q.wantWithin(t, seen, never)
	t.Logf("%d calls in %d windows of %d: %s used, %.1f %%", len(calls), windows, o.limit, uses(seen), 100*used)
	if used < 0.98 {
		t.Errorf("%.1f %% of the windows were used, want 98 %%", 100*used)
	}
	q.wantEqual(t, seen)
	wantPrompt(t, by(calls, till, start))
}

// overload is all apps together offering times the limit.
func (q *quotaFleet) overload(times float64) []demand {
	var demands []demand
	for _, app := range q.apps {
		rate := times * float64(q.o.limit) / q.o.window.Seconds() / float64(len(q.apps))
		demands = append(demands, demand{caller: app, rate: rate})
	}
	return demands
}

// wantEqual wants no two apps to differ by more than a tenth in all windows
// together. In few short windows that is less than two calls for each replica,
// whose queues begin and end between two calls: those are allowed.
func (q *quotaFleet) wantEqual(t *testing.T, seen []upstreamWindow) {
	t.Helper()
	total, least, most := 0, math.MaxInt, 0
	for _, app := range q.apps {
		n := 0
		for _, w := range seen {
			n += w.by[app]
		}
		total, least, most = total+n, min(least, n), max(most, n)
	}
	mean := float64(total) / float64(len(q.apps))
	t.Logf("equal callers got %d to %d each, %.1f in the mean", least, most, mean)
	if apart := max(mean/10, 2*float64(len(q.all))); float64(most-least) > apart {
		t.Errorf("equal callers got %d to %d each, want at most %.1f between them", least, most, apart)
	}
}

// promptly is how long a call within its guarantee waits for quota at most. In
// the short form one in fifty may be held up by a busy machine: each such call
// is a trip to Redis.
const promptly = 50 * time.Millisecond

// wantPrompt wants every call of a caller within its guarantee to be answered
// without a wait. The wait is what the gateway says: on a busy machine the time
// of a call holds more than the gateway and the upstream.
func wantPrompt(t *testing.T, calls []quotaCall) {
	t.Helper()
	var waited, took time.Duration
	refused, late, most := 0, 0, 0
	if !*long {
		most = len(calls)/50 + 1
	}
	for _, c := range calls {
		waited, took = max(waited, c.waited), max(took, c.took)
		if c.status != http.StatusOK {
			refused++
			t.Logf("%s: %d %s", c.begun.Format("05.000"), c.status, c.text)
		}
		if c.waited > promptly {
			late++
			t.Logf("%s: waited %s", c.begun.Format("05.000"), c.waited)
		}
	}
	t.Logf("%d interactive calls: %d failed, %d waited for more than %s, the longest %s; the longest call took %s (the upstream %s)",
		len(calls), refused, late, promptly, waited, took, quotaLatency)
	if len(calls) == 0 || refused > 0 || late > most {
		t.Errorf("%d interactive calls within half of the guarantee: %d failed and %d waited for more than %s, want none and at most %d", len(calls), refused, late, promptly, most)
	}
}
