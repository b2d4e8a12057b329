package main

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"iqgateway/internal/exchange"
	"iqgateway/internal/redistest"
)

// callerCrowd asks a fleet without a pause, and counts.
type callerCrowd struct {
	cancel  context.CancelFunc
	all     sync.WaitGroup
	ok      atomic.Int64
	refused atomic.Int64
	other   atomic.Pointer[string]
}

// crowdOn asks these replicas in turn, so many times a second altogether.
func (f *replicas) crowdOn(t *testing.T, perSecond int, all ...*replica) *callerCrowd {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	c := &callerCrowd{cancel: cancel}
	t.Cleanup(cancel)
	const workers = 4
	for w := range workers {
		c.all.Go(func() {
			tick := time.NewTicker(workers * time.Second / time.Duration(perSecond))
			defer tick.Stop()
			for i := w; ; i++ {
				select {
				case <-tick.C:
				case <-ctx.Done():
					return
				}
				status, text, err := f.call(ctx, all[i%len(all)], http.MethodGet, catalogItems, "")
				c.count(ctx, status, text, err)
			}
		})
	}
	return c
}

func (c *callerCrowd) count(ctx context.Context, status int, text string, err error) {
	switch {
	case ctx.Err() != nil:
	case err == nil && status == http.StatusOK:
		c.ok.Add(1)
	case err == nil && status == http.StatusTooManyRequests && strings.Contains(text, string(exchange.CallerTooFast)):
		c.refused.Add(1)
	default:
		if err != nil {
			text = err.Error()
		}
		c.other.Store(&text)
	}
}

// during returns how many were served in some time.
func (c *callerCrowd) during(t *testing.T, d time.Duration) float64 {
	t.Helper()
	before, began := c.ok.Load(), time.Now()
	pass(t, d)
	return float64(c.ok.Load()-before) / time.Since(began).Seconds()
}

func (c *callerCrowd) stop(t *testing.T) {
	t.Helper()
	c.cancel()
	c.all.Wait()
	if other := c.other.Load(); other != nil {
		t.Errorf("something else than 200 and caller-rate-exceeded: %s", *other)
	}
	if c.refused.Load() == 0 {
		t.Error("nobody was refused: the load was too small to tell anything")
	}
}

// A caller has its rate on whatever replicas it asks, stored answers included.
// Redis is asked in the background, and where it is away each replica serves its
// part.
func TestFleetCallerLimit(t *testing.T) {
	t.Parallel()
	const rate, measured = 100.0, 5 * time.Second
	server := redistest.Single(t)
	const limit = "    rate_limit: {rate: 100/s, burst: 50}\n"
	f := newFleet(t, server, fleetOptions{config: strings.Replace(fleetConfig, "    access:", limit+"    access:", 1), extra: patientRedis})
	for _, r := range f.all {
		await(t, "the replicas know each other", func() bool { return f.metric(t, r, "iqgw_store_replicas") == 3 })
	}
	f.settle(t, catalogItems)
	slack := 0.3 // a busy machine gets less done
	if *long {
		slack = 0.1
	}
	want := func(what string, got, rate float64) {
		t.Helper()
		t.Logf("%s: %.1f/s", what, got)
		if got < (1-slack)*rate || got > (1+slack/2)*rate {
			t.Errorf("%s: %.1f/s, want %.0f", what, got, rate)
		}
	}
	crowd := f.crowdOn(t, 400, f.all...)
	pass(t, time.Second) // the burst is spent
	trips, asked := f.callerTrips(t), crowd.ok.Load()+crowd.refused.Load()
	want("three replicas", crowd.during(t, measured), rate)
	trips, asked = f.callerTrips(t)-trips, crowd.ok.Load()+crowd.refused.Load()-asked
	crowd.stop(t)
	t.Logf("%d requests, %.0f trips to Redis", asked, trips)
	if most := 3 * 60 * measured.Seconds(); trips > most {
		t.Errorf("%.0f trips, want at most %.0f", trips, most)
	}

	crowd = f.crowdOn(t, 400, f.all[0])
	pass(t, 2*time.Second) // the others have given back what they held
	want("one replica", crowd.during(t, measured), rate)
	crowd.stop(t)

	server.Kill()
	crowd = f.crowdOn(t, 400, f.all[0])
	pass(t, 2*time.Second)
	want("one replica without Redis", crowd.during(t, measured), rate/3)
	crowd.stop(t)
}

// callerTrips are those of all replicas for limits of callers.
func (f *replicas) callerTrips(t *testing.T) float64 {
	t.Helper()
	sum := 0.0
	for _, r := range f.all {
		sum += f.metric(t, r, "iqgw_caller_limit_trip_duration_seconds_count")
	}
	return sum
}
