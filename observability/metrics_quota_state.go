package observability

import (
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/metric"
)

// quotaGauges show what a replica knows of its buckets at each scrape. What is
// the fleet's is the same on every replica that uses the bucket: aggregate with
// max, not with sum.
type quotaGauges struct {
	limit, remaining, upstream   metric.Int64ObservableGauge
	granted, external, margin    metric.Int64ObservableGauge
	depth, replicas, mode, block metric.Int64ObservableGauge
	guarantee                    metric.Int64ObservableGauge
	uncertainty                  metric.Float64ObservableGauge
}

func newQuotaGauges(meter metric.Meter) (quotaGauges, error) {
	var g quotaGauges
	var errs [12]error
	gauge := gauges(meter, "iqgw.quota.")
	gauge(&g.limit, &errs[0], "limit", "{token}", "What the fleet may use of each window, or at once.")
	gauge(&g.remaining, &errs[1], "remaining_estimate", "{token}", "What is left of the window by the fleet's own count, margin and others' use taken off.")
	gauge(&g.upstream, &errs[2], "remaining_upstream", "{token}", "What was left of the limit by the upstream's own count, as last seen; absent while it has shown none.")
	gauge(&g.granted, &errs[3], "granted", "{token}", "What the fleet has taken of the window, leases and what was carried in included.")
	gauge(&g.external, &errs[4], "external", "{token}", "What others than this fleet have used of the window, at least.")
	gauge(&g.margin, &errs[5], "margin", "{token}", "What is left alone because others use the same quota.")
	gauge(&g.depth, &errs[6], "queue_depth", "{request}", "Requests of the whole fleet that wait for a token.")
	gauge(&g.replicas, &errs[7], "replicas", "{replica}", "Replicas that use the bucket.")
	gauge(&g.mode, &errs[8], "mode", "", "1 for how the bucket is counted now; local_share while the store is away.")
	gauge(&g.block, &errs[9], "blocked", "", "1 while nothing is granted: the window is spent, the upstream asked to wait, or an operator has blocked the bucket.")
	gauge(&g.guarantee, &errs[10], "caller_share", "{token}", "Tokens of each window that a caller is guaranteed; callers without a guarantee are absent.")
	g.uncertainty, errs[11] = meter.Float64ObservableGauge("iqgw.quota.boundary_uncertainty", metric.WithUnit("s"),
		metric.WithDescription("How exactly the end of the window is known; absent while it is not known at all."))
	return g, errors.Join(errs[:]...)
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
	// Uncertainty is how exactly the end of the window is known, below 0 = not
	// at all.
	Uncertainty time.Duration
	Guarantees  map[string]int64 // by caller
}

// ObserveQuotas has the quota gauges read from states, which is called at each
// scrape and must not block.
func (m *Metrics) ObserveQuotas(states func() []QuotaState) error {
	g := m.quotas.gauges
	err := m.register(func(o metric.Observer) {
		for _, s := range states() {
			m.observeQuota(o, s)
		}
	}, g.limit, g.remaining, g.upstream, g.granted, g.external, g.margin, g.depth, g.replicas, g.mode, g.block, g.guarantee, g.uncertainty)
	if err != nil {
		return fmt.Errorf("observing quotas: %w", err)
	}
	return nil
}

func (m *Metrics) observeQuota(o metric.Observer, s QuotaState) {
	g := m.quotas.gauges
	set := m.quotaSet(quotaKey{bucket: s.Bucket})
	o.ObserveInt64(g.mode, 1, m.quotaSet(quotaKey{bucket: s.Bucket, mode: s.Mode}))
	o.ObserveInt64(g.depth, s.Waiting, set)
	o.ObserveInt64(g.replicas, s.Replicas, set)
	o.ObserveInt64(g.block, oneIf(s.Blocked), set)
	if s.Uncertainty >= 0 {
		o.ObserveFloat64(g.uncertainty, s.Uncertainty.Seconds(), set)
	}
	if s.Limit == 0 {
		return
	}
	o.ObserveInt64(g.limit, s.Limit, set)
	o.ObserveInt64(g.remaining, s.Remaining, set)
	if s.Upstream >= 0 {
		o.ObserveInt64(g.upstream, s.Upstream, set)
	}
	o.ObserveInt64(g.granted, s.Granted, set)
	o.ObserveInt64(g.external, s.External, set)
	o.ObserveInt64(g.margin, s.Margin, set)
	for caller, tokens := range s.Guarantees {
		o.ObserveInt64(g.guarantee, tokens, m.quotaSet(quotaKey{bucket: s.Bucket, caller: caller}))
	}
}
