package observability

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/metric"
)

// storeInstruments measure the stores that replicas share.
type storeInstruments struct {
	up, replicas observed
	operations   histogram
	rejected     counter
}

// storeBuckets are for calls that are bounded by tens of milliseconds. Seconds.
func storeBuckets() []float64 {
	return []float64{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1}
}

func (s *storeInstruments) declare(d *declarer) {
	s.up = d.gauge("iqgw.store.up", "",
		"1 while a shared store is used, 0 while the gateway does without it: quota by local shares, tokens and cache from memory.",
		"store")
	s.replicas = d.gauge("iqgw.store.replicas", "{replica}",
		"Replicas that share the store, this one included, as last heard. Fewer than run: some cannot reach it.",
		"store")
	s.operations = d.histogram("iqgw.store.operation.duration", "s",
		"Duration of calls to a shared store, by operation and how they ended. Each is bounded by tens of milliseconds and few stand in a request's way.",
		storeBuckets(), "store", "operation", "outcome")
	s.rejected = d.counter("iqgw.store.rejected_values", "{value}",
		"Stored values that could not be opened and count as absent: changed, moved, old, or sealed with a key that is not configured. Without a change of keys: somebody writes to the store.",
		"store", "kind", "reason")
}

// StoreCalled records a call to a store. All texts are bounded.
func (m *Metrics) StoreCalled(ctx context.Context, store, operation, outcome string, d time.Duration) {
	if m != nil {
		m.stores.operations.record(ctx, d.Seconds(), store, operation, outcome)
	}
}

// StoreRejected records a stored value that could not be opened.
func (m *Metrics) StoreRejected(ctx context.Context, store, kind, reason string) {
	if m != nil {
		m.stores.rejected.add(ctx, 1, store, kind, reason)
	}
}

// ObserveStore has the gauges of a store read from up and replicas, which are
// called at each scrape and must not block; replicas may be nil.
func (m *Metrics) ObserveStore(store string, up func() bool, replicas func() int) error {
	return m.register("store "+store, func(o metric.Observer) {
		m.stores.up.is(o, oneIf(up()), store)
		if replicas != nil {
			m.stores.replicas.is(o, float64(replicas()), store)
		}
	})
}
