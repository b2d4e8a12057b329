package observability

import "go.opentelemetry.io/otel/metric"

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
