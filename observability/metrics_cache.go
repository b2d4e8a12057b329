package observability

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/metric"
)

// cacheInstruments measure what the cache did and what it holds.
type cacheInstruments struct {
	requests, savedCalls, savedTokens observed // from the tallies of exchanges

	invalidations, refreshes, stores counter

	bytes, limit, objects, heard, evicted, suggested observed
}

func (c *cacheInstruments) declare(d *declarer) {
	c.requests = d.tally("iqgw.cache.requests", "{request}",
		"Requests that the cache was asked about, by what it did and why it was no fresh hit. A result of stale is an upstream that does not answer, or a quota that is spent.",
		"caller", "environment", "service", "result", "reason")
	c.savedCalls = d.tally("iqgw.cache.saved_calls", "{request}",
		"Upstream requests that were not made because an answer was there, or on its way to another caller.",
		"caller", "environment", "service")
	c.savedTokens = d.tally("iqgw.cache.saved_tokens", "{token}",
		"Quota tokens that these requests would have cost.",
		"caller", "environment", "service")
	c.stores = d.counter("iqgw.cache.stores", "{answer}",
		"Answers that were stored. Far more of them than hits means that what is kept is not asked for again.",
		"environment", "service")
	c.refreshes = d.counter("iqgw.cache.refreshes", "{request}",
		"Refreshes in the background, while a stale answer was served, by how they ended. Failures that go on end in answers that are too old to serve.",
		"environment", "service", "outcome")
	c.invalidations = d.counter("iqgw.cache.invalidations", "{event}",
		"Invalidations by writes and purges that this replica has seen, by what they drop.",
		"kind")
	c.bytes = d.gauge("iqgw.cache.stored", "By",
		"Memory that stored answers of the service take in this process, bookkeeping included.",
		"environment", "service")
	c.limit = d.gauge("iqgw.cache.limit", "By",
		"What cache.memory allows all of them together.")
	c.objects = d.gauge("iqgw.cache.objects", "{answer}",
		"Stored answers in this process; those to the same URL that differ by request fields count as one.")
	c.evicted = d.tally("iqgw.cache.evicted", "By",
		"What was dropped from memory for want of room. A steady rate while the hit ratio falls: cache.memory is too small.")
	c.heard = d.gauge("iqgw.cache.log.age", "s",
		"Time since the fleet's invalidations were last heard. Above 5 s no copy is used of what callers can write.")
	c.suggested = d.tally("iqgw.cache.suggested", "{request}",
		"Requests to what the catalogue only suggests to keep, by what would have come of it. Many hits: adopt the suggestion.",
		"environment", "service", "result")
}

// CacheInvalidated records invalidations; kind is bounded.
func (m *Metrics) CacheInvalidated(ctx context.Context, kind string, count int) {
	if m != nil {
		m.cache.invalidations.add(ctx, int64(count), kind)
	}
}

// CacheRefreshed records a refresh in the background; outcome is bounded.
func (m *Metrics) CacheRefreshed(ctx context.Context, environment, service, outcome string) {
	if m != nil {
		m.cache.refreshes.add(ctx, 1, environment, service, outcome)
	}
}

// CacheStored records an answer that was stored.
func (m *Metrics) CacheStored(ctx context.Context, environment, service string) {
	if m != nil {
		m.cache.stores.add(ctx, 1, environment, service)
	}
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
	return m.register("the cache", func(o metric.Observer) { m.cache.observe(o, state()) })
}

func (c *cacheInstruments) observe(o metric.Observer, s CacheState) {
	c.limit.is(o, float64(s.Limit))
	c.objects.is(o, float64(s.Objects))
	c.evicted.is(o, float64(s.Evicted))
	c.heard.is(o, s.Silence.Seconds())
	for _, of := range s.Services {
		c.bytes.is(o, float64(of.Bytes), of.Environment, of.Service)
		if of.SuggestedHits+of.SuggestedMisses > 0 {
			c.suggested.is(o, float64(of.SuggestedHits), of.Environment, of.Service, "hit")
			c.suggested.is(o, float64(of.SuggestedMisses), of.Environment, of.Service, "miss")
		}
	}
}
