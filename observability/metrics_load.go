package observability

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/metric"
)

// loadInstruments measure what keeps load bounded: slots of upstreams, and
// memory.
type loadInstruments struct {
	waits                         histogram
	refused, shed                 counter
	inFlight, waiting, most       observed
	memory, memoryLimit, shedding observed
}

func (l *loadInstruments) declare(d *declarer) {
	l.inFlight = d.gauge("iqgw.bulkhead.in_flight", "{request}",
		"Requests to the upstream that are under way, until their answers' bodies end; absent before the first.",
		"environment", "service")
	l.most = d.gauge("iqgw.bulkhead.limit", "{request}",
		"Requests to the upstream that may be under way at once; absent = no bound.",
		"environment", "service")
	l.waiting = d.gauge("iqgw.bulkhead.waiting", "{request}",
		"Requests that wait for a slot of the upstream. More than 0 for long: it is slow, or the limit too low.",
		"environment", "service")
	l.waits = d.histogram("iqgw.bulkhead.wait.duration", "s",
		"How long attempts waited for a slot of their upstream, those that got one after a wait.",
		durationBuckets(), "environment", "service")
	l.refused = d.counter("iqgw.bulkhead.refused", "{request}",
		"Attempts that got no slot of their upstream, by why. Callers got 503.",
		"environment", "service", "reason")
	l.shed = d.counter("iqgw.bulkhead.shed", "{request}",
		"Requests that were refused because memory was short. Callers got 503: more memory or more replicas are needed.")
	l.shed.add(context.Background(), 0)
	l.memory = d.gauge("iqgw.bulkhead.memory", "By",
		"Memory in use, as shedding counts it.")
	l.memoryLimit = d.gauge("iqgw.bulkhead.memory_limit", "By",
		"What server.limits.max_memory allows; absent = no limit.")
	l.shedding = d.gauge("iqgw.bulkhead.shedding", "",
		"1 while new requests are refused because memory is short.")
}

// SlotWaited records an attempt that got a slot of its upstream after a wait.
func (m *Metrics) SlotWaited(ctx context.Context, environment, service string, waited time.Duration) {
	if m != nil {
		m.load.waits.record(ctx, waited.Seconds(), environment, service)
	}
}

// SlotRefused records an attempt that got none; reason is bounded.
func (m *Metrics) SlotRefused(ctx context.Context, environment, service, reason string) {
	if m != nil {
		m.load.refused.add(ctx, 1, environment, service, reason)
	}
}

// Shed records a request that was refused because memory was short.
func (m *Metrics) Shed(ctx context.Context) {
	if m != nil {
		m.load.shed.add(ctx, 1)
	}
}

// UpstreamLoad is what one upstream has to do at a moment.
type UpstreamLoad struct {
	Environment, Service     string
	InFlight, Waiting, Limit int // Limit 0 = none
}

// MemoryLoad is the memory of the process at a moment, in bytes.
type MemoryLoad struct {
	InUse, Limit int64 // Limit 0 = none
	Shedding     bool
}

// ObserveLoad has the gauges read from upstreams and memory, which are called at
// each scrape and must not block.
func (m *Metrics) ObserveLoad(upstreams func() []UpstreamLoad, memory func() MemoryLoad) error {
	return m.register("load", func(o metric.Observer) {
		l := &m.load
		used := m.attempts.upstreams()
		for _, u := range upstreams() {
			if idle := u.InFlight+u.Waiting == 0; idle && !used[[2]string{u.Environment, u.Service}] {
				continue // the catalogue has hundreds that nobody calls
			}
			l.inFlight.is(o, float64(u.InFlight), u.Environment, u.Service)
			l.waiting.is(o, float64(u.Waiting), u.Environment, u.Service)
			if u.Limit > 0 {
				l.most.is(o, float64(u.Limit), u.Environment, u.Service)
			}
		}
		if now := memory(); now.Limit > 0 {
			l.memory.is(o, float64(now.InUse))
			l.memoryLimit.is(o, float64(now.Limit))
			l.shedding.is(o, oneIf(now.Shedding))
		}
	})
}
