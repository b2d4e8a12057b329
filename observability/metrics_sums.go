package observability

import (
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/metric"
)

// sums are what a counter has come to, by the values of its labels. They are whole
// numbers: those of fractions differ by the order in which they are added, and a
// counter must never fall.
type sums struct {
	counter observed
	unit    float64 // what one is
	by      map[labelValues]int64
	rest    int64
}

// of adds n up under the values. What has not happened is left out.
func (s *sums) of(k exchangeKey, n int64, values ...string) {
	switch {
	case n == 0:
	case k.rest:
		s.rest += n
	default:
		var labels labelValues
		copy(labels[:], values)
		s.by[labels] += n
	}
}

// observe tells all of them; what finds no set of labels of its own is one.
func (s *sums) observe(o metric.Observer) {
	sets := s.counter.sets
	for values, n := range s.by {
		set := sets.of(values[:])
		if len(set) > 0 && &set[0] == &sets.rest[0] {
			s.rest += n
			continue
		}
		o.ObserveFloat64(s.counter.instrument, float64(n)*s.unit, set...)
	}
	if s.rest > 0 {
		o.ObserveFloat64(s.counter.instrument, float64(s.rest)*s.unit, sets.rest...)
	}
}

// observeExchanges is called at each scrape. It holds no lock that a request
// needs.
func (m *Metrics) observeExchanges(o metric.Observer) {
	i, c := &m.exchanges, &m.cache
	for k, like := range i.running {
		if like.seen.Load() {
			i.active.is(o, float64(like.now.Load()), k.method, k.scheme)
		}
	}
	summed := func(counter observed) *sums { return &sums{counter: counter, unit: 1, by: map[labelValues]int64{}} }
	exchanges, took, received, sent, refused := summed(i.byWhom), summed(i.took), summed(i.received), summed(i.sent), summed(m.auth.refused)
	requests, calls, tokens := summed(c.requests), summed(c.savedCalls), summed(c.savedTokens)
	took.unit = time.Nanosecond.Seconds()
	i.tallies.Range(func(key, value any) bool {
		k, t := key.(exchangeKey), value.(*exchangeTally)
		exchanges.of(k, t.exchanges.Load(), k.caller, k.environment, k.service, k.outcome)
		took.of(k, t.nanoseconds.Load(), k.caller, k.environment, k.service)
		received.of(k, t.received.Load(), k.caller, k.environment, k.service)
		sent.of(k, t.sent.Load(), k.caller, k.environment, k.service)
		calls.of(k, t.savedCalls.Load(), k.caller, k.environment, k.service)
		tokens.of(k, t.savedTokens.Load(), k.caller, k.environment, k.service)
		if k.result != "" {
			requests.of(k, t.exchanges.Load(), k.caller, k.environment, k.service, k.result, k.reason)
		}
		return true
	})
	i.refused.Range(func(reason, n any) bool {
		refused.of(exchangeKey{}, n.(*atomic.Int64).Load(), reason.(string))
		return true
	})
	for _, s := range []*sums{exchanges, took, received, sent, refused, requests, calls, tokens} {
		s.observe(o)
	}
}
