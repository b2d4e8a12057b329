package observability

import (
	"context"
	"time"
)

// QuotaBucket names a bucket in labels. All of it comes from the configuration.
type QuotaBucket struct {
	Environment, Service, Policy string
	Of                           string // "" but where several buckets share the rest
}

// quotaInstruments measure what the upstreams' quotas were used for. What a
// replica knows of its buckets is in quotaGauges.
type quotaInstruments struct {
	tokens, refused, shadow            counter
	answers, anomalies, events, resent counter
	rolls, wasted, missing             counter
	waits, acquires, usage             histogram
	quotaGauges
}

// waitBuckets reach from a trip to the store to several windows. Seconds.
func waitBuckets() []float64 {
	return []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300}
}

// usageBuckets are finest where a good window ends.
func usageBuckets() []float64 {
	return []float64{0.1, 0.25, 0.5, 0.75, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 1}
}

// bucketLabels are those of a [QuotaBucket], and more.
func bucketLabels(more ...string) []string {
	return append([]string{"environment", "service", "policy", "of"}, more...)
}

func (q *quotaInstruments) declare(d *declarer) {
	q.quotaGauges.declare(d)
	q.tokens = d.counter("iqgw.quota.caller_tokens", "{token}",
		"Tokens that callers got, by class: who uses the quota.",
		bucketLabels("caller", "class")...)
	q.refused = d.counter("iqgw.quota.queue_refused", "{request}",
		"Requests that got no token, by why. Callers got 429; one that has a guarantee should never be among them.",
		bucketLabels("caller", "class", "reason")...)
	q.waits = d.histogram("iqgw.quota.queue_wait", "s",
		"Time that requests waited for a token, those that waited alone, refused ones too.",
		waitBuckets(), bucketLabels("class")...)
	q.shadow = d.counter("iqgw.quota.shadow_held", "{request}",
		"Requests that would have been held or refused, of buckets that are not enforced: what enforcing them would change.",
		bucketLabels("caller", "class")...)
	q.answers = d.counter("iqgw.quota.upstream_429", "{answer}",
		"Answers 429 of upstreams: expected (nothing beyond the margin was left), unexpected, hidden (a limit that is not advertised) or late. Unexpected ones are others who use the same quota, or a fault of ours.",
		bucketLabels("kind")...)
	q.anomalies = d.counter("iqgw.quota.header_anomaly", "{answer}",
		"Quota fields of upstreams that cannot be meant. The provider has changed something when it grows.",
		bucketLabels("anomaly")...)
	q.usage = d.histogram("iqgw.quota.window.utilisation", "1",
		"Part of each window that was used when it ended, by us and others. Low while requests wait: tokens are held where they are not needed. Counted by one replica of the fleet.",
		usageBuckets(), bucketLabels()...)
	q.rolls = d.counter("iqgw.quota.roll", "{window}",
		"Windows that ended, by proof (an answer named the next) or time. Counted by one replica of the fleet.",
		bucketLabels("by")...)
	q.wasted = d.counter("iqgw.quota.unspent_wasted", "{token}",
		"Tokens that were leased and not spent when their window ended.",
		bucketLabels()...)
	q.missing = d.counter("iqgw.quota.undercount", "{token}",
		"Tokens that we spent and the upstream's own count never showed: it counts by something else than scope says, or not everything.",
		bucketLabels()...)
	q.events = d.counter("iqgw.quota.event", "{event}",
		"Things that should be rare: state_regression (the store had lost writes), phase_conflict (answers contradict when the window ends), returned (nothing was sent), repeated (sent again after a 429).",
		bucketLabels("event")...)
	q.resent = d.counter("iqgw.quota.resent", "{token}",
		"Tokens spent by repeats of the transport itself, which should not happen.",
		bucketLabels()...)
	q.acquires = d.histogram("iqgw.quota.acquire.duration", "s",
		"Duration of trips to the store, by outcome. Their count by that of iqgw_quota_caller_tokens_total is the number of trips per request.",
		storeBuckets(), bucketLabels("outcome")...)
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
	b := r.Bucket
	if r.Refused == "" {
		m.quotas.tokens.add(ctx, 1, b.Environment, b.Service, b.Policy, b.Of, r.Caller, r.Class)
	} else {
		m.quotas.refused.add(ctx, 1, b.Environment, b.Service, b.Policy, b.Of, r.Caller, r.Class, r.Refused)
	}
	if r.Held {
		m.quotas.shadow.add(ctx, 1, b.Environment, b.Service, b.Policy, b.Of, r.Caller, r.Class)
	}
	if r.Waited > 0 {
		m.quotas.waits.record(ctx, r.Waited.Seconds(), b.Environment, b.Service, b.Policy, b.Of, r.Class)
	}
}

// QuotaAcquired records a trip to the store; outcome is bounded.
func (m *Metrics) QuotaAcquired(ctx context.Context, b QuotaBucket, outcome string, d time.Duration) {
	if m != nil {
		m.quotas.acquires.record(ctx, d.Seconds(), b.Environment, b.Service, b.Policy, b.Of, outcome)
	}
}

// QuotaUpstreamRefused records 429s of an upstream; kind is bounded.
func (m *Metrics) QuotaUpstreamRefused(ctx context.Context, b QuotaBucket, kind string, count int) {
	if m != nil {
		m.quotas.answers.add(ctx, int64(count), b.Environment, b.Service, b.Policy, b.Of, kind)
	}
}

// QuotaAnomaly records an answer whose quota fields cannot be meant.
func (m *Metrics) QuotaAnomaly(ctx context.Context, b QuotaBucket, anomaly string) {
	if m != nil {
		m.quotas.anomalies.add(ctx, 1, b.Environment, b.Service, b.Policy, b.Of, anomaly)
	}
}

// QuotaEvent records something that should be rare; event is bounded.
func (m *Metrics) QuotaEvent(ctx context.Context, b QuotaBucket, event string) {
	if m != nil {
		m.quotas.events.add(ctx, 1, b.Environment, b.Service, b.Policy, b.Of, event)
	}
}

// QuotaResent records that the transport itself has sent a request again.
func (m *Metrics) QuotaResent(ctx context.Context, b QuotaBucket, times int) {
	if m != nil {
		m.quotas.resent.add(ctx, int64(times), b.Environment, b.Service, b.Policy, b.Of)
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
	b := w.Bucket
	m.quotas.rolls.add(ctx, 1, b.Environment, b.Service, b.Policy, b.Of, by)
	m.quotas.wasted.add(ctx, w.Wasted, b.Environment, b.Service, b.Policy, b.Of)
	m.quotas.missing.add(ctx, w.Missing, b.Environment, b.Service, b.Policy, b.Of)
	if w.Limit > 0 {
		m.quotas.usage.record(ctx, float64(w.Spent+w.External)/float64(w.Limit), b.Environment, b.Service, b.Policy, b.Of)
	}
}
