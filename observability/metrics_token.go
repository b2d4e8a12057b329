package observability

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/metric"
)

// tokenInstruments measure what happens to the upstream tokens.
type tokenInstruments struct {
	fetches, waits                       histogram
	adopted, rejected, rollbacks, unread counter
	expires, state, refusals             observed
}

func (t *tokenInstruments) declare(d *declarer) {
	t.state = d.gauge("iqgw.token.state", "",
		"1 for the state that a credential is in: with refused nothing goes out in its name until its secret changes or an operator has it tried again.",
		"environment", "credential", "state")
	t.expires = d.gauge("iqgw.token.expiry.timestamp", "s",
		"When the token of this replica expires, in seconds since 1970; absent without one. It is replaced long before: an end that comes near is trouble.",
		"environment", "credential")
	t.refusals = d.gauge("iqgw.token.refusals", "{refusal}",
		"Refusals of the credential since the last success. The provider locks accounts: the fleet tries at most three times an hour.",
		"environment", "credential")
	t.fetches = d.histogram("iqgw.token.fetch.duration", "s",
		"Duration of calls to the token endpoint, by why they were made and how they ended. More than one per expiry for the whole fleet: it does not share.",
		durationBuckets(), "environment", "credential", "reason", "outcome")
	t.waits = d.histogram("iqgw.token.wait.duration", "s",
		"Time that requests waited for a token, those that waited alone.",
		durationBuckets(), "environment", "credential")
	t.adopted = d.counter("iqgw.token.adopted", "{token}",
		"Tokens that another replica had fetched.",
		"environment", "credential")
	t.rejected = d.counter("iqgw.token.rejected", "{answer}",
		"Answers 401 of upstreams to one of our tokens. Each is replaced and the request sent once more; a steady rate: somebody else logs this account in.",
		"environment", "credential", "service")
	t.rollbacks = d.counter("iqgw.token.rollbacks", "{value}",
		"Times that the store showed an older token than before; it was not used. The store was restored, or somebody writes to it.",
		"environment", "credential")
	t.unread = d.counter("iqgw.token.secret_read_failures", "{failure}",
		"Times that rotated secrets could not be read; the last good ones stay.",
		"environment", "credential")
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
	if m != nil {
		m.tokens.fetches.record(ctx, f.Duration.Seconds(), f.Environment, f.Credential, f.Reason, f.Outcome)
	}
}

// TokenWaited records that a request had to wait for a token.
func (m *Metrics) TokenWaited(ctx context.Context, environment, credential string, d time.Duration) {
	if m != nil {
		m.tokens.waits.record(ctx, d.Seconds(), environment, credential)
	}
}

// TokenAdopted records that a token of another replica was taken over.
func (m *Metrics) TokenAdopted(ctx context.Context, environment, credential string) {
	if m != nil {
		m.tokens.adopted.add(ctx, 1, environment, credential)
	}
}

// TokenRolledBack records that a store showed an older token than before.
func (m *Metrics) TokenRolledBack(ctx context.Context, environment, credential string) {
	if m != nil {
		m.tokens.rollbacks.add(ctx, 1, environment, credential)
	}
}

// SecretUnread records that a credential's secrets could not be read again.
func (m *Metrics) SecretUnread(ctx context.Context, environment, credential string) {
	if m != nil {
		m.tokens.unread.add(ctx, 1, environment, credential)
	}
}

// TokenRejected records that a service answered 401 to a token.
func (m *Metrics) TokenRejected(ctx context.Context, environment, credential, service string) {
	if m != nil {
		m.tokens.rejected.add(ctx, 1, environment, credential, service)
	}
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
	return m.register("tokens", func(o metric.Observer) {
		t := &m.tokens
		for _, s := range states() {
			t.expires.at(o, s.Expires, s.Environment, s.Credential)
			t.refusals.is(o, float64(s.Refusals), s.Environment, s.Credential)
			t.state.is(o, 1, s.Environment, s.Credential, s.State)
		}
	})
}
