package observability

import (
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// KeySetState is what is known of a JWT issuer's keys at a moment. The issuer
// comes from the configuration.
type KeySetState struct {
	Issuer  string
	Keys    int
	Fetched time.Time // zero = never
	Fetches int64     // that gave keys
	Failed  int64     // that did not
}

// ObserveKeySets has the metrics of JWT issuers read from states, which is called
// at each scrape.
func (m *Metrics) ObserveKeySets(states func() []KeySetState) error {
	var errs [3]error
	fetches, err := m.meter.Int64ObservableCounter("iqgw.auth.key_set.fetches", metric.WithUnit("{fetch}"),
		metric.WithDescription("Fetches of JWT issuers' keys, by what came of them: ok or failed."))
	errs[0] = err
	keys, err := m.meter.Int64ObservableGauge("iqgw.auth.key_set.keys", metric.WithUnit("{key}"),
		metric.WithDescription("Keys of the JWT issuer that tokens are verified with."))
	errs[1] = err
	at, err := m.meter.Float64ObservableGauge("iqgw.auth.key_set.fetched.timestamp", metric.WithUnit("s"),
		metric.WithDescription("When the JWT issuer's keys were fetched; absent = never. After 24 hours they count no more."))
	errs[2] = err
	if err := errors.Join(errs[:]...); err != nil {
		return fmt.Errorf("key set instruments: %w", err)
	}
	err = m.register(func(o metric.Observer) {
		for _, s := range states() {
			o.ObserveInt64(fetches, s.Fetches, m.keySet(s.Issuer, "ok"))
			o.ObserveInt64(fetches, s.Failed, m.keySet(s.Issuer, "failed"))
			o.ObserveInt64(keys, int64(s.Keys), m.keySet(s.Issuer, ""))
			if !s.Fetched.IsZero() {
				o.ObserveFloat64(at, float64(s.Fetched.UnixMilli())/1000, m.keySet(s.Issuer, ""))
			}
		}
	}, fetches, keys, at)
	if err != nil {
		return fmt.Errorf("observing key sets: %w", err)
	}
	return nil
}

func (m *Metrics) keySet(issuer, outcome string) metric.MeasurementOption {
	return m.set(setKey{kind: 'J', service: issuer, errorType: outcome}, func(k setKey) []attribute.KeyValue {
		return withLabels([]attribute.KeyValue{attribute.String("issuer", k.service)}, label{"outcome", k.errorType})
	})
}
