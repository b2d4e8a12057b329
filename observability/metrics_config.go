package observability

import (
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// ConfigState is the configuration that serves, and how the last reload went.
type ConfigState struct {
	Hash   string
	Loaded time.Time // since when it serves
	Failed bool      // the last reload was refused
}

// ObserveConfig has the gauges of the configuration read from state, which is
// called at each scrape and must not block.
func (m *Metrics) ObserveConfig(state func() ConfigState) error {
	var errs [3]error
	var successful, since, info metric.Int64ObservableGauge
	successful, errs[0] = m.meter.Int64ObservableGauge("iqgw.config.last_reload_successful",
		metric.WithDescription("1 when the last reload of the configuration was taken over, 0 when it was refused and the one before serves on."))
	since, errs[1] = m.meter.Int64ObservableGauge("iqgw.config.last_reload_success_timestamp", metric.WithUnit("s"),
		metric.WithDescription("When the configuration that serves was taken over, in seconds since 1970."))
	info, errs[2] = m.meter.Int64ObservableGauge("iqgw.config.info",
		metric.WithDescription("1, with the hash of the configuration that serves, secrets left out."))
	if err := errors.Join(errs[:]...); err != nil {
		return fmt.Errorf("configuration gauges: %w", err)
	}
	return m.register(func(o metric.Observer) {
		s := state()
		o.ObserveInt64(successful, oneIf(!s.Failed))
		o.ObserveInt64(since, s.Loaded.Unix())
		o.ObserveInt64(info, 1, metric.WithAttributes(attribute.String("hash", s.Hash)))
	}, successful, since, info)
}
