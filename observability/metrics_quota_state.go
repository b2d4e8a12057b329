package observability

import (
	"time"

	"go.opentelemetry.io/otel/metric"
)

// quotaGauges show what a replica knows of its buckets at each scrape. What is
// the fleet's is the same on every replica that uses the bucket: aggregate with
// max, not with sum.
type quotaGauges struct {
	limit, remaining, upstream   observed
	granted, external, margin    observed
	depth, replicas, mode, block observed
	guarantee                    observed
	end, uncertainty             observed
}

func (g *quotaGauges) declare(d *declarer) {
	gauge := func(name, unit, help string, more ...string) observed {
		return d.gauge("iqgw.quota."+name, unit, help, bucketLabels(more...)...)
	}
	g.limit = gauge("limit", "{token}", "What the fleet may use of each window, or at once.")
	g.remaining = gauge("remaining_estimate", "{token}", "What is left of the window by the fleet's own count, margin and others' use taken off. With what it loses per second: when the window is spent.")
	g.end = gauge("window_end_timestamp", "s", "When the window ends at the latest, in seconds since 1970; absent while that is not known. Spent much earlier, callers wait.")
	g.upstream = gauge("remaining_upstream", "{token}", "What was left of the limit by the upstream's own count, as last seen; absent while it has shown none.")
	g.granted = gauge("granted", "{token}", "What the fleet has taken of the window, leases and what was carried in included.")
	g.external = gauge("external", "{token}", "What others than this fleet have used of the window, at least. Above a tenth of the limit: find out who.")
	g.margin = gauge("margin", "{token}", "What is left alone because others use the same quota.")
	g.guarantee = gauge("caller_share", "{token}", "Tokens of each window that a caller is guaranteed; callers without a guarantee are absent.", "caller")
	g.depth = gauge("queue_depth", "{request}", "Requests of the whole fleet that wait for a token.")
	g.block = gauge("blocked", "", "1 while nothing is granted: the window is spent, the upstream asked to wait, or an operator has blocked the bucket.")
	g.mode = gauge("mode", "", "1 for how the bucket is counted now; local_share while the store is away.", "mode")
	g.replicas = gauge("replicas", "{replica}", "Replicas that use the bucket.")
	g.uncertainty = gauge("boundary_uncertainty", "s", "How exactly the end of the window is known; absent while it is not known at all. Tokens of that time are left alone.")
}

// QuotaState is what a replica knows of one bucket at a moment.
type QuotaState struct {
	Bucket QuotaBucket
	Mode   string
	Limit  int64 // 0 = unknown: the amounts below are then not shown
	// Amounts in tokens; Upstream is below 0 where the upstream shows no count.
	Remaining, Upstream, Granted, External, Margin int64
	Waiting, Replicas                              int64
	Blocked                                        bool
	// Ends is when the window ends at the latest; zero = not known.
	Ends time.Time
	// Uncertainty is how exactly the end of the window is known, below 0 = not
	// at all.
	Uncertainty time.Duration
	Guarantees  map[string]int64 // by caller
}

// ObserveQuotas has the quota gauges read from states, which is called at each
// scrape and must not block.
func (m *Metrics) ObserveQuotas(states func() []QuotaState) error {
	return m.register("quotas", func(o metric.Observer) {
		for _, s := range states() {
			m.quotas.observe(o, s)
		}
	})
}

func (g *quotaGauges) observe(o metric.Observer, s QuotaState) {
	b := s.Bucket
	is := func(gauge observed, value float64) { gauge.is(o, value, b.Environment, b.Service, b.Policy, b.Of) }
	g.mode.is(o, 1, b.Environment, b.Service, b.Policy, b.Of, s.Mode)
	is(g.depth, float64(s.Waiting))
	is(g.replicas, float64(s.Replicas))
	is(g.block, oneIf(s.Blocked))
	g.end.at(o, s.Ends, b.Environment, b.Service, b.Policy, b.Of)
	if s.Uncertainty >= 0 {
		is(g.uncertainty, s.Uncertainty.Seconds())
	}
	if s.Limit == 0 {
		return
	}
	is(g.limit, float64(s.Limit))
	is(g.remaining, float64(s.Remaining))
	if s.Upstream >= 0 {
		is(g.upstream, float64(s.Upstream))
	}
	is(g.granted, float64(s.Granted))
	is(g.external, float64(s.External))
	is(g.margin, float64(s.Margin))
	for caller, tokens := range s.Guarantees {
		g.guarantee.is(o, float64(tokens), b.Environment, b.Service, b.Policy, b.Of, caller)
	}
}
