package main

import (
	"strings"
	"testing"
	"time"

	"iqgateway/internal/redistest"
)

// outage is when Redis could not be asked, or had lost what it knew, until
// every replica has told it again.
type outage struct{ from, to time.Time }

// settled is how long after an outage the replicas have told everything.
const settled = 2500 * time.Millisecond

// over allows one request for each replica in windows that an outage touches.
func (q *quotaFleet) over(outages []outage) func(upstreamWindow) int {
	return func(w upstreamWindow) int {
		for _, o := range outages {
			if w.start.Before(o.to) && o.from.Before(w.start.Add(q.o.window)) {
				return len(q.all)
			}
		}
		return 0
	}
}

// A gateway is killed and another started, one is frozen and goes on, Redis
// starts anew and empty, and freezes: the upstream is never asked for more than
// its limit; while Redis is gone, for one request more by each replica at most.
func TestFleetKeepsTheQuotaThroughFaults(t *testing.T) {
	t.Parallel()
	if !*long {
		// Patient, as a busy machine makes outages of its own, which allow one request
		// more, too.
		o := quotaOptions{limit: 250, window: 5 * time.Second, fleetOptions: fleetOptions{extra: patientRedis}}
		keepsThroughFaults(t, redistest.Single(t), o)
		return
	}
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		keepsThroughFaults(t, topology, quotaOptions{limit: 500, window: 10 * time.Second})
	})
}

func keepsThroughFaults(t *testing.T, topology redistest.Topology, o quotaOptions) {
	o.quota = "max_wait: {batch: 12s}"
	q := newQuotaFleet(t, topology, o)
	load := q.offer(t, q.overload(5)...)
	start := q.fullWindows(t, 1)

	q.use(q.all[1], q.all[2])
	q.all[0].kill(t) // with what it had under way and ahead
	q.all[0] = q.start(t)
	q.use(q.all...)
	pass(t, time.Second)
	q.all[1].freeze(t) // requests still go to it
	pass(t, 5*time.Second)
	q.all[1].thaw(t)
	pass(t, o.window/2)

	var outages []outage
	suffer := func(lasting time.Duration, begin, end func(*redistest.Server)) {
		out := outage{from: time.Now()}
		each(topology, begin)
		pass(t, lasting)
		each(topology, end)
		settle(t, topology)
		q.awaitStore(t, 1)
		out.to = time.Now().Add(settled)
		outages = append(outages, out)
		pass(t, settled)
	}
	suffer(time.Second, (*redistest.Server).Kill, (*redistest.Server).Start)
	suffer(2*time.Second, (*redistest.Server).Freeze, (*redistest.Server).Thaw)
	q.endWithin(t, load, start, outages)
}

// endWithin waits for one whole window more and judges all of them.
func (q *quotaFleet) endWithin(t *testing.T, load *quotaLoad, start time.Time, outages []outage) {
	t.Helper()
	q.fullWindows(t, 1)
	n := int(time.Since(start) / q.o.window)
	load.stop()
	seen := q.windows("crm", start, n)
	used := q.wantWithin(t, seen, q.over(outages))
	t.Logf("%s used in windows of %d, %.1f %%", uses(seen), q.o.limit, 100*used)
	if last := seen[n-1]; last.used < q.o.limit*9/10 {
		t.Errorf("the last window, without faults, used %d of %d", last.used, q.o.limit)
	}
	if t.Failed() {
		q.logStoreStates(t)
	}
}

// logStoreStates shows when replicas had nobody to ask, expected or not.
func (q *quotaFleet) logStoreStates(t *testing.T) {
	t.Helper()
	for i, r := range q.all {
		for line := range strings.Lines(r.out.String()) {
			if strings.Contains(line, "store of quotas") {
				t.Logf("replica %d: %s", i, line)
			}
		}
	}
}

// The same through failovers, which may lose what was granted last. In the long
// form only: most of its time is the sentinels'.
func TestFleetKeepsTheQuotaThroughFailovers(t *testing.T) {
	if !*long {
		t.Skip("with -long only")
	}
	const failovers = 6
	o := quotaOptions{limit: 500, window: 10 * time.Second, quota: "max_wait: {batch: 12s}"}
	trio := redistest.Sentinel(t)
	q := newQuotaFleet(t, trio, o)
	load := q.offer(t, q.overload(5)...)
	start := q.fullWindows(t, 1)
	var outages []outage
	for range failovers {
		out := outage{from: time.Now()}
		trio.Failover(t)
		q.awaitStore(t, 1)
		out.to = time.Now().Add(settled)
		outages = append(outages, out)
		pass(t, settled)
	}
	q.endWithin(t, load, start, outages)
}
