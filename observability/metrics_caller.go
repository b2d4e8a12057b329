package observability

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// callerInstruments measure the limits of callers.
type callerInstruments struct {
	refused  metric.Int64Counter
	trips    metric.Float64Histogram
	inFlight metric.Int64ObservableGauge
}

func newCallerInstruments(meter metric.Meter) (callerInstruments, error) {
	var c callerInstruments
	var errs [3]error
	counter, gauge := counters(meter, "iqgw.caller."), gauges(meter, "iqgw.caller.")
	counter(&c.refused, &errs[0], "limit.refused", "{request}", "Requests that met their caller's own limit: rate or concurrency.")
	c.trips, errs[1] = meter.Float64Histogram("iqgw.caller.limit.trip.duration", metric.WithUnit("s"),
		metric.WithExplicitBucketBoundaries(durationBuckets()...),
		metric.WithDescription("Trips to Redis for the limits of callers, in the background: no request waits for one."))
	gauge(&c.inFlight, &errs[2], "in_flight", "{request}", "Requests under way on this replica of callers that have a limit.")
	if err := errors.Join(errs[:]...); err != nil {
		return c, fmt.Errorf("caller instruments: %w", err)
	}
	return c, nil
}

func (m *Metrics) callerSet(caller, reason string) metric.MeasurementOption {
	return m.set(setKey{kind: 'a', service: caller, errorType: reason}, func(k setKey) []attribute.KeyValue {
		attrs := []attribute.KeyValue{attribute.String("caller", k.service)}
		if k.errorType != "" {
			attrs = append(attrs, attribute.String("reason", k.errorType))
		}
		return attrs
	})
}

// CallerRefused records a request that met its caller's own limit; reason is
// bounded.
func (m *Metrics) CallerRefused(ctx context.Context, caller, reason string) {
	if m != nil {
		m.callers.refused.Add(ctx, 1, m.callerSet(caller, reason))
	}
}

// CallerLimitAsked records a trip to the store of limits; outcome is bounded.
func (m *Metrics) CallerLimitAsked(ctx context.Context, outcome string, took time.Duration) {
	if m != nil {
		m.callers.trips.Record(ctx, took.Seconds(), m.set(setKey{kind: 'A', errorType: outcome}, func(k setKey) []attribute.KeyValue {
			return []attribute.KeyValue{attribute.String("outcome", k.errorType)}
		}))
	}
}

// CallerLoad is what a caller that has a limit has under way on this replica.
type CallerLoad struct {
	Caller   string
	InFlight int
}

// ObserveCallers has the gauges read from a func, which is called at each scrape
// and must not block.
func (m *Metrics) ObserveCallers(callers func() []CallerLoad) error {
	err := m.register(func(o metric.Observer) {
		for _, c := range callers() {
			o.ObserveInt64(m.callers.inFlight, int64(c.InFlight), m.callerSet(c.Caller, ""))
		}
	}, m.callers.inFlight)
	if err != nil {
		return fmt.Errorf("observing callers: %w", err)
	}
	return nil
}
