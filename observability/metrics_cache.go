package observability

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// cacheInstruments measure what the cache did beside exchanges, which are in
// exchangeInstruments. What it holds is in cacheGauges.
type cacheInstruments struct {
	invalidations metric.Int64Counter
	refreshes     metric.Int64Counter
	stores        metric.Int64Counter

	gauges cacheGauges
}

func newCacheInstruments(meter metric.Meter) (cacheInstruments, error) {
	var c cacheInstruments
	var errs [4]error
	counter := counters(meter, "iqgw.cache.")
	counter(&c.invalidations, &errs[0], "invalidations", "{event}", "Invalidations by writes and purges that this replica has seen, by what they drop.")
	counter(&c.refreshes, &errs[1], "refreshes", "{request}", "Refreshes in the background, while a stale answer was served, by how they ended.")
	counter(&c.stores, &errs[2], "stores", "{answer}", "Answers that were stored.")
	c.gauges, errs[3] = newCacheGauges(meter)
	if err := errors.Join(errs[:]...); err != nil {
		return c, fmt.Errorf("cache instruments: %w", err)
	}
	return c, nil
}

// cacheKey is one combination of label values.
type cacheKey struct {
	environment, service, caller, result, reason, kind, outcome string
}

func (m *Metrics) cacheSet(k cacheKey) metric.MeasurementOption {
	return setOf(m, k, cacheAttributes)
}

func cacheAttributes(k cacheKey) []attribute.KeyValue {
	return withLabels(nil,
		label{"environment", k.environment},
		label{"service", k.service},
		label{"caller", k.caller},
		label{"result", k.result},
		label{"reason", k.reason},
		label{"kind", k.kind},
		label{"outcome", k.outcome},
	)
}

// CacheInvalidated records invalidations; kind is bounded.
func (m *Metrics) CacheInvalidated(ctx context.Context, kind string, count int) {
	if m != nil {
		m.cache.invalidations.Add(ctx, int64(count), m.cacheSet(cacheKey{kind: kind}))
	}
}

// CacheRefreshed records a refresh in the background; outcome is bounded.
func (m *Metrics) CacheRefreshed(ctx context.Context, environment, service, outcome string) {
	if m != nil {
		m.cache.refreshes.Add(ctx, 1, m.cacheSet(cacheKey{environment: environment, service: service, outcome: outcome}))
	}
}

// CacheStored records an answer that was stored.
func (m *Metrics) CacheStored(ctx context.Context, environment, service string) {
	if m != nil {
		m.cache.stores.Add(ctx, 1, m.cacheSet(cacheKey{environment: environment, service: service}))
	}
}

// cacheGauges show what the cache holds at each scrape.
type cacheGauges struct {
	bytes, maximum, objects metric.Int64ObservableGauge
	heard                   metric.Float64ObservableGauge
	evicted, suggested      metric.Int64ObservableCounter
}

func newCacheGauges(meter metric.Meter) (cacheGauges, error) {
	var g cacheGauges
	var errs [6]error
	gauge := gauges(meter, "iqgw.cache.")
	gauge(&g.bytes, &errs[0], "stored", "By", "Memory that stored answers of the service take in this process, bookkeeping included.")
	gauge(&g.maximum, &errs[1], "limit", "By", "What cache.memory allows all of them together.")
	gauge(&g.objects, &errs[2], "objects", "{answer}", "Stored answers in this process; those to the same URL that differ by request fields count as one.")
	g.heard, errs[3] = meter.Float64ObservableGauge("iqgw.cache.log.age", metric.WithUnit("s"),
		metric.WithDescription("Time since the fleet's invalidations were last heard. Above 5 s no copy is used of what callers can write."))
	g.evicted, errs[4] = meter.Int64ObservableCounter("iqgw.cache.evicted", metric.WithUnit("By"),
		metric.WithDescription("What was dropped from memory for want of room."))
	g.suggested, errs[5] = meter.Int64ObservableCounter("iqgw.cache.suggested", metric.WithUnit("{request}"),
		metric.WithDescription("Requests to what the catalogue only suggests to keep, by what would have come of it."))
	return g, errors.Join(errs[:]...)
}

// CacheState is what the cache of this process holds at a moment.
type CacheState struct {
	Limit   int64 // bytes
	Objects int64
	Evicted int64         // bytes, since the start
	Silence time.Duration // since the log of invalidations was heard; 0 = there is none
	// Services are those that anything is known of.
	Services []CacheServiceState
}

// CacheServiceState is the part of one service.
type CacheServiceState struct {
	Environment, Service string
	Bytes                int64
	// What suggested rules would have answered, and what not, since the start.
	SuggestedHits, SuggestedMisses int64
}

// ObserveCache has the gauges of the cache read from state, which is called at
// each scrape and must not block.
func (m *Metrics) ObserveCache(state func() CacheState) error {
	g := m.cache.gauges
	err := m.register(func(o metric.Observer) {
		m.observeCache(o, state())
	}, g.bytes, g.maximum, g.objects, g.heard, g.evicted, g.suggested)
	if err != nil {
		return fmt.Errorf("observing the cache: %w", err)
	}
	return nil
}

func (m *Metrics) observeCache(o metric.Observer, s CacheState) {
	g := m.cache.gauges
	o.ObserveInt64(g.maximum, s.Limit)
	o.ObserveInt64(g.objects, s.Objects)
	o.ObserveInt64(g.evicted, s.Evicted)
	o.ObserveFloat64(g.heard, s.Silence.Seconds())
	for _, of := range s.Services {
		k := cacheKey{environment: of.Environment, service: of.Service}
		o.ObserveInt64(g.bytes, of.Bytes, m.cacheSet(k))
		for result, count := range map[string]int64{"hit": of.SuggestedHits, "miss": of.SuggestedMisses} {
			if of.SuggestedHits+of.SuggestedMisses > 0 {
				k.result = result
				o.ObserveInt64(g.suggested, count, m.cacheSet(k))
			}
		}
	}
}
