package observability

import (
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// KeyExpiry is the end of a caller's key.
type KeyExpiry struct {
	Caller, KeyID string
	Expires       time.Time
}

// ObserveKeys has the gauge of keys that expire read from keys, which is called
// at each scrape and must not block.
func (m *Metrics) ObserveKeys(keys func() []KeyExpiry) error {
	gauge, err := m.meter.Int64ObservableGauge("iqgw.caller.key.expiry_timestamp", metric.WithUnit("s"),
		metric.WithDescription("When a caller's key ends, in seconds since 1970; keys without an end are missing."))
	if err != nil {
		return fmt.Errorf("key gauge: %w", err)
	}
	return m.register(func(o metric.Observer) {
		for _, k := range keys() {
			o.ObserveInt64(gauge, k.Expires.Unix(), metric.WithAttributes(attribute.String("caller", k.Caller), attribute.String("key_id", k.KeyID)))
		}
	}, gauge)
}
