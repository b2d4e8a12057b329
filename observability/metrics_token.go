package observability

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// tokenInstruments measure what happens to the upstream tokens.
type tokenInstruments struct {
	fetches   metric.Float64Histogram
	waits     metric.Float64Histogram
	adopted   metric.Int64Counter
	rejected  metric.Int64Counter
	rollbacks metric.Int64Counter
	unread    metric.Int64Counter

	expires  metric.Float64ObservableGauge
	state    metric.Int64ObservableGauge
	refusals metric.Int64ObservableGauge
}

func newTokenInstruments(meter metric.Meter) (tokenInstruments, error) {
	var t tokenInstruments
	var errs [9]error
	seconds, buckets := metric.WithUnit("s"), metric.WithExplicitBucketBoundaries(durationBuckets()...)
	t.fetches, errs[0] = meter.Float64Histogram("iqgw.token.fetch.duration", seconds, buckets,
		metric.WithDescription("Duration of calls to the token endpoint, by why they were made and how they ended."))
	t.waits, errs[1] = meter.Float64Histogram("iqgw.token.wait.duration", seconds, buckets,
		metric.WithDescription("Time that requests waited for a token, those that waited alone."))
	t.adopted, errs[2] = meter.Int64Counter("iqgw.token.adopted", metric.WithUnit("{token}"),
		metric.WithDescription("Tokens that another replica had fetched."))
	t.rejected, errs[3] = meter.Int64Counter("iqgw.token.rejected", metric.WithUnit("{answer}"),
		metric.WithDescription("Answers 401 of upstreams to one of our tokens."))
	t.rollbacks, errs[4] = meter.Int64Counter("iqgw.token.rollbacks", metric.WithUnit("{value}"),
		metric.WithDescription("Times that the store showed an older token than before; it was not used."))
	t.unread, errs[5] = meter.Int64Counter("iqgw.token.secret_read_failures", metric.WithUnit("{failure}"),
		metric.WithDescription("Times that rotated secrets could not be read; the last good ones stay."))
	t.expires, errs[6] = meter.Float64ObservableGauge("iqgw.token.expiry.timestamp", metric.WithUnit("s"),
		metric.WithDescription("Unix time at which the token of this replica expires; absent without one."))
	t.state, errs[7] = meter.Int64ObservableGauge("iqgw.token.state",
		metric.WithDescription("1 for the state that a credential is in."))
	t.refusals, errs[8] = meter.Int64ObservableGauge("iqgw.token.refusals", metric.WithUnit("{refusal}"),
		metric.WithDescription("Refusals of the credential since the last success."))
	if err := errors.Join(errs[:]...); err != nil {
		return t, fmt.Errorf("token instruments: %w", err)
	}
	return t, nil
}

// TokenFetch is one finished call of a token endpoint. All texts are bounded.
type TokenFetch struct {
	Environment string
	Credential  string
	Reason      string
	Outcome     string
	Duration    time.Duration
}

// TokenFetched records a call of a token endpoint.
func (m *Metrics) TokenFetched(ctx context.Context, f TokenFetch) {
	if m == nil {
		return
	}
	k := setKey{kind: 't', environment: f.Environment, credential: f.Credential, method: f.Reason, errorType: f.Outcome}
	m.tokens.fetches.Record(ctx, f.Duration.Seconds(), m.set(k, func(k setKey) []attribute.KeyValue {
		return append(credentialAttributes(k), attribute.String("reason", k.method), attribute.String("outcome", k.errorType))
	}))
}

// TokenWaited records that a request had to wait for a token.
func (m *Metrics) TokenWaited(ctx context.Context, environment, credential string, d time.Duration) {
	if m != nil {
		m.tokens.waits.Record(ctx, d.Seconds(), m.credentialSet(environment, credential))
	}
}

// TokenAdopted records that a token of another replica was taken over.
func (m *Metrics) TokenAdopted(ctx context.Context, environment, credential string) {
	if m != nil {
		m.tokens.adopted.Add(ctx, 1, m.credentialSet(environment, credential))
	}
}

// TokenRolledBack records that a store showed an older token than before.
func (m *Metrics) TokenRolledBack(ctx context.Context, environment, credential string) {
	if m != nil {
		m.tokens.rollbacks.Add(ctx, 1, m.credentialSet(environment, credential))
	}
}

// SecretUnread records that a credential's secrets could not be read again.
func (m *Metrics) SecretUnread(ctx context.Context, environment, credential string) {
	if m != nil {
		m.tokens.unread.Add(ctx, 1, m.credentialSet(environment, credential))
	}
}

// TokenRejected records that a service answered 401 to a token.
func (m *Metrics) TokenRejected(ctx context.Context, environment, credential, service string) {
	if m == nil {
		return
	}
	k := setKey{kind: 'r', environment: environment, credential: credential, service: service}
	m.tokens.rejected.Add(ctx, 1, m.set(k, func(k setKey) []attribute.KeyValue {
		return append(credentialAttributes(k), attribute.String("service", k.service))
	}))
}

// TokenState is what one credential is worth at a moment.
type TokenState struct {
	Environment string
	Credential  string
	State       string
	Expires     time.Time // zero = no token
	Refusals    int
}

// ObserveTokens has the token gauges read from states, which is called at each
// scrape.
func (m *Metrics) ObserveTokens(states func() []TokenState) error {
	err := m.register(func(o metric.Observer) {
		for _, s := range states() {
			set := m.credentialSet(s.Environment, s.Credential)
			if !s.Expires.IsZero() {
				o.ObserveFloat64(m.tokens.expires, float64(s.Expires.UnixMilli())/1000, set)
			}
			o.ObserveInt64(m.tokens.refusals, int64(s.Refusals), set)
			k := setKey{kind: 'S', environment: s.Environment, credential: s.Credential, errorType: s.State}
			o.ObserveInt64(m.tokens.state, 1, m.set(k, func(k setKey) []attribute.KeyValue {
				return append(credentialAttributes(k), attribute.String("state", k.errorType))
			}))
		}
	}, m.tokens.expires, m.tokens.state, m.tokens.refusals)
	if err != nil {
		return fmt.Errorf("observing tokens: %w", err)
	}
	return nil
}

func (m *Metrics) credentialSet(environment, credential string) metric.MeasurementOption {
	return m.set(setKey{kind: 'C', environment: environment, credential: credential}, credentialAttributes)
}

func credentialAttributes(k setKey) []attribute.KeyValue {
	return []attribute.KeyValue{attribute.String("environment", k.environment), attribute.String("credential", k.credential)}
}
