package observability

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// storeInstruments measure the stores that replicas share.
type storeInstruments struct {
	operations metric.Float64Histogram
	rejected   metric.Int64Counter
	up         metric.Int64ObservableGauge
	replicas   metric.Int64ObservableGauge
}

// storeBuckets are for calls that are bounded by tens of milliseconds. Seconds.
func storeBuckets() []float64 {
	return []float64{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1}
}

func newStoreInstruments(meter metric.Meter) (storeInstruments, error) {
	var s storeInstruments
	var errs [4]error
	s.operations, errs[0] = meter.Float64Histogram("iqgw.store.operation.duration", metric.WithUnit("s"),
		metric.WithExplicitBucketBoundaries(storeBuckets()...),
		metric.WithDescription("Duration of calls to a shared store, by operation and how they ended."))
	s.rejected, errs[1] = meter.Int64Counter("iqgw.store.rejected_values", metric.WithUnit("{value}"),
		metric.WithDescription("Stored values that could not be opened and count as absent: changed, moved, old, or sealed with a key that is not configured."))
	s.up, errs[2] = meter.Int64ObservableGauge("iqgw.store.up",
		metric.WithDescription("1 while a shared store is used, 0 while the gateway does without it."))
	s.replicas, errs[3] = meter.Int64ObservableGauge("iqgw.store.replicas", metric.WithUnit("{replica}"),
		metric.WithDescription("Replicas that share the store, this one included, as last heard."))
	if err := errors.Join(errs[:]...); err != nil {
		return s, fmt.Errorf("store instruments: %w", err)
	}
	return s, nil
}

// StoreCalled records a call to a store. All texts are bounded.
func (m *Metrics) StoreCalled(ctx context.Context, store, operation, outcome string, d time.Duration) {
	if m == nil {
		return
	}
	k := setKey{kind: 'o', service: store, method: operation, errorType: outcome}
	m.stores.operations.Record(ctx, d.Seconds(), m.set(k, func(k setKey) []attribute.KeyValue {
		return []attribute.KeyValue{
			attribute.String("store", k.service), attribute.String("operation", k.method), attribute.String("outcome", k.errorType),
		}
	}))
}

// StoreRejected records a stored value that could not be opened.
func (m *Metrics) StoreRejected(ctx context.Context, store, kind, reason string) {
	if m == nil {
		return
	}
	k := setKey{kind: 'j', service: store, method: kind, errorType: reason}
	m.stores.rejected.Add(ctx, 1, m.set(k, func(k setKey) []attribute.KeyValue {
		return []attribute.KeyValue{
			attribute.String("store", k.service), attribute.String("kind", k.method), attribute.String("reason", k.errorType),
		}
	}))
}

// ObserveStore has the gauges of a store read from up and replicas, which are
// called at each scrape and must not block; replicas may be nil.
func (m *Metrics) ObserveStore(store string, up func() bool, replicas func() int) error {
	set := metric.WithAttributes(attribute.String("store", store))
	err := m.register(func(o metric.Observer) {
		o.ObserveInt64(m.stores.up, oneIf(up()), set)
		if replicas != nil {
			o.ObserveInt64(m.stores.replicas, int64(replicas()), set)
		}
	}, m.stores.up, m.stores.replicas)
	if err != nil {
		return fmt.Errorf("observing store %s: %w", store, err)
	}
	return nil
}

func oneIf(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
