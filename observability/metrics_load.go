package observability

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// loadInstruments measure what keeps load bounded: slots of upstreams, and
// memory.
type loadInstruments struct {
	waits    metric.Float64Histogram
	refused  metric.Int64Counter
	shed     metric.Int64Counter
	inFlight metric.Int64ObservableGauge
	waiting  metric.Int64ObservableGauge
	most     metric.Int64ObservableGauge
	memory   metric.Int64ObservableGauge
	limit    metric.Int64ObservableGauge
	shedding metric.Int64ObservableGauge
}

func newLoadInstruments(meter metric.Meter) (loadInstruments, error) {
	var l loadInstruments
	var errs [9]error
	counter, gauge := counters(meter, "iqgw.bulkhead."), gauges(meter, "iqgw.bulkhead.")
	l.waits, errs[0] = meter.Float64Histogram("iqgw.bulkhead.wait.duration", metric.WithUnit("s"),
		metric.WithExplicitBucketBoundaries(durationBuckets()...),
		metric.WithDescription("How long attempts waited for a slot of their upstream, those that got one after a wait."))
	counter(&l.refused, &errs[1], "refused", "{request}", "Attempts that got no slot of their upstream, by why.")
	counter(&l.shed, &errs[2], "shed", "{request}", "Requests that were refused because memory was short.")
	gauge(&l.inFlight, &errs[3], "in_flight", "{request}", "Requests to the upstream that are under way, until their answers' bodies end.")
	gauge(&l.waiting, &errs[4], "waiting", "{request}", "Requests that wait for a slot of the upstream.")
	gauge(&l.most, &errs[5], "limit", "{request}", "Requests to the upstream that may be under way at once; absent = no bound.")
	gauge(&l.memory, &errs[6], "memory", "By", "Memory in use, as shedding counts it.")
	gauge(&l.limit, &errs[7], "memory_limit", "By", "What server.limits.max_memory allows; absent = no limit.")
	gauge(&l.shedding, &errs[8], "shedding", "", "1 while new requests are refused because memory is short.")
	if err := errors.Join(errs[:]...); err != nil {
		return l, fmt.Errorf("load instruments: %w", err)
	}
	return l, nil
}

func (m *Metrics) loadSet(k setKey) metric.MeasurementOption {
	return m.set(k, func(k setKey) []attribute.KeyValue {
		attrs := []attribute.KeyValue{attribute.String("environment", k.environment), attribute.String("service", k.service)}
		if k.errorType != "" {
			attrs = append(attrs, attribute.String("reason", k.errorType))
		}
		return attrs
	})
}

// SlotWaited records an attempt that got a slot of its upstream after a wait.
func (m *Metrics) SlotWaited(ctx context.Context, environment, service string, waited time.Duration) {
	if m != nil {
		m.load.waits.Record(ctx, waited.Seconds(), m.loadSet(setKey{kind: 'b', environment: environment, service: service}))
	}
}

// SlotRefused records an attempt that got none; reason is bounded.
func (m *Metrics) SlotRefused(ctx context.Context, environment, service, reason string) {
	if m != nil {
		m.load.refused.Add(ctx, 1, m.loadSet(setKey{kind: 'b', environment: environment, service: service, errorType: reason}))
	}
}

// Shed records a request that was refused because memory was short.
func (m *Metrics) Shed(ctx context.Context) {
	if m != nil {
		m.load.shed.Add(ctx, 1)
	}
}

// UpstreamLoad is what one upstream has to do at a moment.
type UpstreamLoad struct {
	Environment, Service     string
	InFlight, Waiting, Limit int // Limit 0 = none
}

// MemoryLoad is the memory of the process at a moment, in bytes.
type MemoryLoad struct {
	InUse, Limit int64 // Limit 0 = none
	Shedding     bool
}

// ObserveLoad has the gauges read from upstreams and memory, which are called at
// each scrape and must not block.
func (m *Metrics) ObserveLoad(upstreams func() []UpstreamLoad, memory func() MemoryLoad) error {
	l := m.load
	err := m.register(func(o metric.Observer) {
		for _, u := range upstreams() {
			set := m.loadSet(setKey{kind: 'b', environment: u.Environment, service: u.Service})
			o.ObserveInt64(l.inFlight, int64(u.InFlight), set)
			o.ObserveInt64(l.waiting, int64(u.Waiting), set)
			if u.Limit > 0 {
				o.ObserveInt64(l.most, int64(u.Limit), set)
			}
		}
		if used := memory(); used.Limit > 0 {
			o.ObserveInt64(l.memory, used.InUse)
			o.ObserveInt64(l.limit, used.Limit)
			o.ObserveInt64(l.shedding, oneIf(used.Shedding))
		}
	}, l.inFlight, l.waiting, l.most, l.memory, l.limit, l.shedding)
	if err != nil {
		return fmt.Errorf("observing load: %w", err)
	}
	return nil
}
