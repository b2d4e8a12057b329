package observability

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// BreakerName names a circuit breaker in labels. All of it comes from the
// configuration.
type BreakerName struct {
	Environment, Service string
	Bucket               string // of a throttle breaker; "" = the upstream's breaker for failures
}

// resilienceInstruments measure breakers and repetitions.
type resilienceInstruments struct {
	transitions metric.Int64Counter
	refused     metric.Int64Counter
	results     metric.Int64Counter
	attempts    metric.Int64Counter
	stopped     metric.Int64Counter
	state       metric.Int64ObservableGauge
}

func newResilienceInstruments(meter metric.Meter) (resilienceInstruments, error) {
	var r resilienceInstruments
	var errs [6]error
	counter, gauge := counters(meter, "iqgw.breaker."), gauges(meter, "iqgw.breaker.")
	counter(&r.transitions, &errs[0], "transitions", "{transition}", "Changes of state that this replica has made or followed, by why.")
	counter(&r.refused, &errs[1], "refused", "{request}", "Requests that a breaker refused, by why: an upstream that fails (failures, throttled, probe), an operator (forced), probes under way (probing), or load that comes back in steps (recovering).")
	counter(&r.results, &errs[2], "results", "{attempt}", "Attempts as breakers booked them: success, failure with its cause, or excluded, which counts as nothing.")
	gauge(&r.state, &errs[3], "state", "", "1 for the state that a breaker is in, 0 for the others; absent while it was never open and is idle. The state is the fleet's: aggregate with max.")
	counter = counters(meter, "iqgw.retry.")
	counter(&r.attempts, &errs[4], "attempts", "{attempt}", "Attempts that were repeated, by why.")
	counter(&r.stopped, &errs[5], "stopped", "{request}", "Requests of which an attempt was, or might have been, repeated, by what ended it: an answer, or why there was no more (budget, attempts, deadline, unsafe, …).")
	if err := errors.Join(errs[:]...); err != nil {
		return r, fmt.Errorf("resilience instruments: %w", err)
	}
	return r, nil
}

// resilienceKey is one combination of label values; what is "" is no label.
type resilienceKey struct {
	breaker                                BreakerName
	state, from, to, reason, result, cause string
}

func (m *Metrics) resilienceSet(k resilienceKey) metric.MeasurementOption {
	return setOf(m, k, func(k resilienceKey) []attribute.KeyValue {
		attrs := []attribute.KeyValue{
			attribute.String("environment", k.breaker.Environment),
			attribute.String("service", k.breaker.Service),
		}
		return withLabels(attrs,
			label{"bucket", k.breaker.Bucket},
			label{"state", k.state},
			label{"from", k.from},
			label{"to", k.to},
			label{"reason", k.reason},
			label{"result", k.result},
			label{"cause", k.cause},
		)
	})
}

// BreakerChanged records a change of state; all texts are bounded.
func (m *Metrics) BreakerChanged(ctx context.Context, b BreakerName, from, to, reason string) {
	if m != nil {
		m.resilience.transitions.Add(ctx, 1, m.resilienceSet(resilienceKey{breaker: b, from: from, to: to, reason: reason}))
	}
}

// BreakerRefused records a request that a breaker refused; reason is bounded.
func (m *Metrics) BreakerRefused(ctx context.Context, b BreakerName, reason string) {
	if m != nil {
		m.resilience.refused.Add(ctx, 1, m.resilienceSet(resilienceKey{breaker: b, reason: reason}))
	}
}

// BreakerCounted records how an attempt was booked; result and cause are
// bounded.
func (m *Metrics) BreakerCounted(ctx context.Context, b BreakerName, result, cause string) {
	if m != nil {
		m.resilience.results.Add(ctx, 1, m.resilienceSet(resilienceKey{breaker: b, result: result, cause: cause}))
	}
}

// Retried records an attempt that is repeated; reason is bounded.
func (m *Metrics) Retried(ctx context.Context, environment, service, reason string) {
	if m != nil {
		m.resilience.attempts.Add(ctx, 1, m.resilienceSet(resilienceKey{breaker: BreakerName{Environment: environment, Service: service}, reason: reason}))
	}
}

// RetryStopped records how a request ended that was, or might have been,
// repeated; result is bounded.
func (m *Metrics) RetryStopped(ctx context.Context, environment, service, result string) {
	if m != nil {
		m.resilience.stopped.Add(ctx, 1, m.resilienceSet(resilienceKey{breaker: BreakerName{Environment: environment, Service: service}, result: result}))
	}
}

// BreakerState is the state of one breaker at a moment.
type BreakerState struct {
	Breaker BreakerName
	State   string
}

// ObserveBreakers has the gauge read from list, which is called at each scrape
// and must not block. states are all that there are.
func (m *Metrics) ObserveBreakers(states []string, list func() []BreakerState) error {
	err := m.register(func(o metric.Observer) {
		for _, b := range list() {
			for _, state := range states {
				o.ObserveInt64(m.resilience.state, oneIf(b.State == state), m.resilienceSet(resilienceKey{breaker: b.Breaker, state: state}))
			}
		}
	}, m.resilience.state)
	if err != nil {
		return fmt.Errorf("observing breakers: %w", err)
	}
	return nil
}
