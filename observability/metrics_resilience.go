package observability

import (
	"context"

	"go.opentelemetry.io/otel/metric"
)

// BreakerName names a circuit breaker in labels. All of it comes from the
// configuration.
type BreakerName struct {
	Environment, Service string
	Bucket               string // of a throttle breaker; "" = the upstream's breaker for failures
}

// breakerInstruments measure circuit breakers.
type breakerInstruments struct {
	state                         observed
	transitions, refused, results counter
}

func (b *breakerInstruments) declare(d *declarer) {
	b.state = d.gauge("iqgw.breaker.state", "",
		"1 for the state that a breaker is in, 0 for the others; absent while it was never open and is idle. The state is the fleet's: aggregate with max.",
		"environment", "service", "bucket", "state")
	b.transitions = d.counter("iqgw.breaker.transitions", "{transition}",
		"Changes of state that this replica has made or followed, by why. One that keeps changing between open and half-open: the upstream recovers for probes alone.",
		"environment", "service", "bucket", "from", "to", "reason")
	b.refused = d.counter("iqgw.breaker.refused", "{request}",
		"Requests that a breaker refused, by why: an upstream that fails (failures, throttled, probe), an operator (forced), probes under way (probing), or load that comes back in steps (recovering).",
		"environment", "service", "bucket", "reason")
	b.results = d.counter("iqgw.breaker.results", "{attempt}",
		"Attempts as breakers booked them: success, failure with its cause, or excluded, which counts as nothing.",
		"environment", "service", "bucket", "result", "cause")
}

// retryInstruments measure repetitions.
type retryInstruments struct{ attempts, stopped counter }

func (r *retryInstruments) declare(d *declarer) {
	r.attempts = d.counter("iqgw.retry.attempts", "{attempt}",
		"Attempts that were repeated, by why. Each costs a quota token.",
		"environment", "service", "reason")
	r.stopped = d.counter("iqgw.retry.stopped", "{request}",
		"Requests of which an attempt was, or might have been, repeated, by what ended it: an answer, or why there was no more (budget, attempts, deadline, unsafe, …). Much budget: the upstream is ill, not one request.",
		"environment", "service", "result")
}

// BreakerChanged records a change of state; all texts are bounded.
func (m *Metrics) BreakerChanged(ctx context.Context, b BreakerName, from, to, reason string) {
	if m != nil {
		m.breakers.transitions.add(ctx, 1, b.Environment, b.Service, b.Bucket, from, to, reason)
	}
}

// BreakerRefused records a request that a breaker refused; reason is bounded.
func (m *Metrics) BreakerRefused(ctx context.Context, b BreakerName, reason string) {
	if m != nil {
		m.breakers.refused.add(ctx, 1, b.Environment, b.Service, b.Bucket, reason)
	}
}

// BreakerCounted records how an attempt was booked; result and cause are
// bounded.
func (m *Metrics) BreakerCounted(ctx context.Context, b BreakerName, result, cause string) {
	if m != nil {
		m.breakers.results.add(ctx, 1, b.Environment, b.Service, b.Bucket, result, cause)
	}
}

// Retried records an attempt that is repeated; reason is bounded.
func (m *Metrics) Retried(ctx context.Context, environment, service, reason string) {
	if m != nil {
		m.retries.attempts.add(ctx, 1, environment, service, reason)
	}
}

// RetryStopped records how a request ended that was, or might have been,
// repeated; result is bounded.
func (m *Metrics) RetryStopped(ctx context.Context, environment, service, result string) {
	if m != nil {
		m.retries.stopped.add(ctx, 1, environment, service, result)
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
	return m.register("breakers", func(o metric.Observer) {
		for _, b := range list() {
			for _, state := range states {
				m.breakers.state.is(o, oneIf(b.State == state), b.Breaker.Environment, b.Breaker.Service, b.Breaker.Bucket, state)
			}
		}
	})
}
