package observability

import (
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// counters returns what makes the counters of a group, whose names begin with
// prefix.
func counters(meter metric.Meter, prefix string) func(into *metric.Int64Counter, err *error, name, unit, description string) {
	return func(into *metric.Int64Counter, err *error, name, unit, description string) {
		*into, *err = meter.Int64Counter(prefix+name, metric.WithUnit(unit), metric.WithDescription(description))
	}
}

// gauges is counters for gauges that are read at each scrape.
func gauges(meter metric.Meter, prefix string) func(into *metric.Int64ObservableGauge, err *error, name, unit, description string) {
	return func(into *metric.Int64ObservableGauge, err *error, name, unit, description string) {
		*into, *err = meter.Int64ObservableGauge(prefix+name, metric.WithUnit(unit), metric.WithDescription(description))
	}
}

// setOf returns the attributes of a combination of label values, which build
// makes the first time.
func setOf[K comparable](m *Metrics, k K, build func(K) []attribute.KeyValue) metric.MeasurementOption {
	if known, ok := m.sets.Load(k); ok {
		return known.(metric.MeasurementOption)
	}
	made := metric.WithAttributeSet(attribute.NewSet(build(k)...))
	m.sets.Store(k, made)
	return made
}

type label struct{ name, value string }

// withLabels adds those labels that have a value.
func withLabels(attrs []attribute.KeyValue, labels ...label) []attribute.KeyValue {
	for _, l := range labels {
		if l.value != "" {
			attrs = append(attrs, attribute.String(l.name, l.value))
		}
	}
	return attrs
}
