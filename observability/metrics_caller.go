package observability

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/metric"
)

// callerInstruments measure the limits of callers.
type callerInstruments struct {
	refused                     counter
	trips                       histogram
	inFlight, rate, concurrency observed
}

func (c *callerInstruments) declare(d *declarer) {
	c.refused = d.counter("iqgw.caller.limit.refused", "{request}",
		"Requests that met their caller's own limit: rate or concurrency. The caller sends more than it was given; others are not touched.",
		"caller", "reason")
	c.inFlight = d.gauge("iqgw.caller.in_flight", "{request}",
		"Requests under way on this replica of callers that have a limit.",
		"caller")
	c.rate = d.gauge("iqgw.caller.limit.rate", "",
		"Requests per second that the caller may send to the whole fleet; absent = no bound.",
		"caller")
	c.concurrency = d.gauge("iqgw.caller.limit.concurrency", "{request}",
		"Requests that the caller may have under way in the whole fleet; absent = no bound.",
		"caller")
	c.trips = d.histogram("iqgw.caller.limit.trip.duration", "s",
		"Trips to Redis for the limits of callers, in the background: no request waits for one. While they fail each replica goes by its own part of the limit.",
		storeBuckets(), "outcome")
}

// CallerRefused records a request that met its caller's own limit; reason is
// bounded.
func (m *Metrics) CallerRefused(ctx context.Context, caller, reason string) {
	if m != nil {
		m.callers.refused.add(ctx, 1, caller, reason)
	}
}

// CallerLimitAsked records a trip to the store of limits; outcome is bounded.
func (m *Metrics) CallerLimitAsked(ctx context.Context, outcome string, took time.Duration) {
	if m != nil {
		m.callers.trips.record(ctx, took.Seconds(), outcome)
	}
}

// CallerLoad is what a caller that has a limit has under way on this replica.
type CallerLoad struct {
	Caller   string
	InFlight int
	// What the whole fleet allows it: requests per second, and under way; 0 = no
	// bound.
	Rate        float64
	Concurrency int
}

// ObserveCallers has the gauges read from a func, which is called at each scrape
// and must not block.
func (m *Metrics) ObserveCallers(callers func() []CallerLoad) error {
	return m.register("callers", func(o metric.Observer) {
		for _, c := range callers() {
			m.callers.inFlight.is(o, float64(c.InFlight), c.Caller)
			if c.Rate > 0 {
				m.callers.rate.is(o, c.Rate, c.Caller)
			}
			if c.Concurrency > 0 {
				m.callers.concurrency.is(o, float64(c.Concurrency), c.Caller)
			}
		}
	})
}
