package observability

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// QuotaBucket names a bucket in labels. All of it comes from the configuration.
type QuotaBucket struct {
	Environment, Service, Policy string
	Of                           string // "" but where several buckets share the rest
}

// quotaInstruments measure what the upstreams' quotas were used for. The gauges
// are in quotaGauges.
type quotaInstruments struct {
	tokens    metric.Int64Counter
	refused   metric.Int64Counter
	shadow    metric.Int64Counter
	waits     metric.Float64Histogram
	acquires  metric.Float64Histogram
	answers   metric.Int64Counter
	anomalies metric.Int64Counter
	rolls     metric.Int64Counter
	usage     metric.Float64Histogram
	wasted    metric.Int64Counter
	missing   metric.Int64Counter
	events    metric.Int64Counter
	resent    metric.Int64Counter

	gauges quotaGauges
}

// waitBuckets reach from a trip to the store to several windows. Seconds.
func waitBuckets() []float64 {
	return []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300}
}

// usageBuckets are finest where a good window ends.
func usageBuckets() []float64 {
	return []float64{0.1, 0.25, 0.5, 0.75, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 1}
}

func newQuotaInstruments(meter metric.Meter) (quotaInstruments, error) {
	var q quotaInstruments
	var errs [14]error
	counter := counters(meter, "iqgw.quota.")
	counter(&q.tokens, &errs[0], "caller_tokens", "{token}", "Tokens that callers got, by class.")
	counter(&q.refused, &errs[1], "queue_refused", "{request}", "Requests that got no token, by why.")
	counter(&q.shadow, &errs[2], "shadow_held", "{request}", "Requests that would have been held or refused, of buckets that are not enforced.")
	counter(&q.answers, &errs[3], "upstream_429", "{answer}", "Answers 429 of upstreams: expected (nothing beyond the margin was left), unexpected, hidden (a limit that is not advertised) or late.")
	counter(&q.anomalies, &errs[4], "header_anomaly", "{answer}", "Quota fields of upstreams that cannot be meant.")
	counter(&q.rolls, &errs[5], "roll", "{window}", "Windows that ended, by proof (an answer named the next) or time. Counted by one replica of the fleet.")
	counter(&q.wasted, &errs[6], "unspent_wasted", "{token}", "Tokens that were leased and not spent when their window ended.")
	counter(&q.missing, &errs[7], "undercount", "{token}", "Tokens that we spent and the upstream's own count never showed: it counts by something else than scope says, or not everything.")
	counter(&q.events, &errs[8], "event", "{event}", "Things that should be rare: state_regression (the store had lost writes), phase_conflict (answers contradict when the window ends), returned (nothing was sent), repeated (sent again after a 429).")
	counter(&q.resent, &errs[9], "resent", "{token}", "Tokens spent by repeats of the transport itself.")
	seconds := metric.WithUnit("s")
	q.waits, errs[10] = meter.Float64Histogram("iqgw.quota.queue_wait", seconds, metric.WithExplicitBucketBoundaries(waitBuckets()...),
		metric.WithDescription("Time that requests waited for a token, those that waited alone, refused ones too."))
	q.acquires, errs[11] = meter.Float64Histogram("iqgw.quota.acquire.duration", seconds, metric.WithExplicitBucketBoundaries(storeBuckets()...),
		metric.WithDescription("Duration of trips to the store, by outcome. Their count by that of iqgw_quota_caller_tokens_total is the number of trips per request."))
	q.usage, errs[12] = meter.Float64Histogram("iqgw.quota.window.utilisation", metric.WithUnit("1"), metric.WithExplicitBucketBoundaries(usageBuckets()...),
		metric.WithDescription("Part of each window that was used when it ended, by us and others. Counted by one replica of the fleet."))
	q.gauges, errs[13] = newQuotaGauges(meter)
	if err := errors.Join(errs[:]...); err != nil {
		return q, fmt.Errorf("quota instruments: %w", err)
	}
	return q, nil
}

// QuotaRequest is one request that has left a bucket's queue. All texts are
// bounded.
type QuotaRequest struct {
	Bucket        QuotaBucket
	Caller, Class string
	Refused       string // why it got no token; "" = it got one
	Waited        time.Duration
	Held          bool // it got one only because the bucket is not enforced
}

// QuotaAsked records how a request for a token ended.
func (m *Metrics) QuotaAsked(ctx context.Context, r QuotaRequest) {
	if m == nil {
		return
	}
	who := m.quotaSet(quotaKey{bucket: r.Bucket, caller: r.Caller, class: r.Class})
	if r.Refused == "" {
		m.quotas.tokens.Add(ctx, 1, who)
	} else {
		m.quotas.refused.Add(ctx, 1, m.quotaSet(quotaKey{bucket: r.Bucket, caller: r.Caller, class: r.Class, reason: r.Refused}))
	}
	if r.Held {
		m.quotas.shadow.Add(ctx, 1, who)
	}
	if r.Waited > 0 {
		m.quotas.waits.Record(ctx, r.Waited.Seconds(), m.quotaSet(quotaKey{bucket: r.Bucket, class: r.Class}))
	}
}

// QuotaAcquired records a trip to the store; outcome is bounded.
func (m *Metrics) QuotaAcquired(ctx context.Context, b QuotaBucket, outcome string, d time.Duration) {
	if m != nil {
		m.quotas.acquires.Record(ctx, d.Seconds(), m.quotaSet(quotaKey{bucket: b, outcome: outcome}))
	}
}

// QuotaUpstreamRefused records 429s of an upstream; kind is bounded.
func (m *Metrics) QuotaUpstreamRefused(ctx context.Context, b QuotaBucket, kind string, count int) {
	if m != nil {
		m.quotas.answers.Add(ctx, int64(count), m.quotaSet(quotaKey{bucket: b, kind: kind}))
	}
}

// QuotaAnomaly records an answer whose quota fields cannot be meant.
func (m *Metrics) QuotaAnomaly(ctx context.Context, b QuotaBucket, anomaly string) {
	if m != nil {
		m.quotas.anomalies.Add(ctx, 1, m.quotaSet(quotaKey{bucket: b, anomaly: anomaly}))
	}
}

// QuotaEvent records something that should be rare; event is bounded.
func (m *Metrics) QuotaEvent(ctx context.Context, b QuotaBucket, event string) {
	if m != nil {
		m.quotas.events.Add(ctx, 1, m.quotaSet(quotaKey{bucket: b, event: event}))
	}
}

// QuotaResent records that the transport itself has sent a request again.
func (m *Metrics) QuotaResent(ctx context.Context, b QuotaBucket, times int) {
	if m != nil {
		m.quotas.resent.Add(ctx, int64(times), m.quotaSet(quotaKey{bucket: b}))
	}
}

// QuotaWindow is one window that has ended.
type QuotaWindow struct {
	Bucket          QuotaBucket
	Proof           bool  // an answer of the upstream named the next one
	Limit           int64 // 0 = unknown
	Spent, External int64
	Wasted, Missing int64
}

// QuotaWindowEnded records the end of a window.
func (m *Metrics) QuotaWindowEnded(ctx context.Context, w QuotaWindow) {
	if m == nil {
		return
	}
	by := "time"
	if w.Proof {
		by = "proof"
	}
	set := m.quotaSet(quotaKey{bucket: w.Bucket})
	m.quotas.rolls.Add(ctx, 1, m.quotaSet(quotaKey{bucket: w.Bucket, by: by}))
	m.quotas.wasted.Add(ctx, w.Wasted, set)
	m.quotas.missing.Add(ctx, w.Missing, set)
	if w.Limit > 0 {
		m.quotas.usage.Record(ctx, float64(w.Spent+w.External)/float64(w.Limit), set)
	}
}

// quotaKey is one combination of label values; what is "" is no label.
type quotaKey struct {
	bucket                                                         QuotaBucket
	caller, class, reason, outcome, kind, anomaly, event, by, mode string
}

func (m *Metrics) quotaSet(k quotaKey) metric.MeasurementOption {
	return setOf(m, k, quotaAttributes)
}

func quotaAttributes(k quotaKey) []attribute.KeyValue {
	attrs := []attribute.KeyValue{
		attribute.String("environment", k.bucket.Environment),
		attribute.String("service", k.bucket.Service),
		attribute.String("policy", k.bucket.Policy),
	}
	return withLabels(attrs,
		label{"of", k.bucket.Of},
		label{"caller", k.caller},
		label{"class", k.class},
		label{"reason", k.reason},
		label{"outcome", k.outcome},
		label{"kind", k.kind},
		label{"anomaly", k.anomaly},
		label{"event", k.event},
		label{"by", k.by},
		label{"mode", k.mode},
	)
}
