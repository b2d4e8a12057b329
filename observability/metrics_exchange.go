package observability

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"iqgateway/internal/exchange"
)

// exchangeInstruments count caller requests. What they count is kept in tallies
// and summed up at each scrape: a request is one look-up and a few additions,
// however many metrics it is part of.
type exchangeInstruments struct {
	active                            metric.Int64ObservableUpDownCounter
	byWhom                            metric.Int64ObservableCounter
	requests, savedCalls, savedTokens metric.Int64ObservableCounter
	refused                           metric.Int64ObservableCounter

	running atomic.Int64
	tallies sync.Map // exchangeKey -> *exchangeTally
}

// exchangeKey is one combination of label values. All of them come from the
// configuration or from closed sets, so there are few.
type exchangeKey struct {
	environment, service, caller, outcome, result, reason, refused string
}

type exchangeTally struct{ exchanges, savedCalls, savedTokens atomic.Int64 }

func (i *exchangeInstruments) open(meter metric.Meter) error {
	var errs [7]error
	counter := func(into *metric.Int64ObservableCounter, err *error, name, unit, description string) {
		*into, *err = meter.Int64ObservableCounter("iqgw."+name, metric.WithUnit(unit), metric.WithDescription(description))
	}
	i.active, errs[0] = meter.Int64ObservableUpDownCounter("http.server.active_requests", metric.WithUnit("{request}"),
		metric.WithDescription("Caller requests being served."))
	counter(&i.byWhom, &errs[1], "exchanges", "{exchange}", "Caller requests by caller, service and how they ended.")
	counter(&i.requests, &errs[2], "cache.requests", "{request}", "Requests that the cache was asked about, by what it did and why it was no fresh hit.")
	counter(&i.savedCalls, &errs[3], "cache.saved_calls", "{request}", "Upstream requests that were not made because an answer was there, or on its way to another caller.")
	counter(&i.savedTokens, &errs[4], "cache.saved_tokens", "{token}", "Quota tokens that these requests would have cost.")
	counter(&i.refused, &errs[5], "auth.refused", "{request}", "Requests whose caller is not known, by reason.")
	if errs[6] = errors.Join(errs[:6]...); errs[6] == nil {
		_, errs[6] = meter.RegisterCallback(i.observe, i.active, i.byWhom, i.requests, i.savedCalls, i.savedTokens, i.refused)
	}
	if errs[6] != nil {
		return fmt.Errorf("exchange instruments: %w", errs[6])
	}
	return nil
}

func (i *exchangeInstruments) tally(k exchangeKey) *exchangeTally {
	known, ok := i.tallies.Load(k)
	if !ok {
		known, _ = i.tallies.LoadOrStore(k, &exchangeTally{})
	}
	return known.(*exchangeTally)
}

// count books an exchange that has ended.
func (i *exchangeInstruments) count(ex *exchange.Exchange, outcome string) {
	k := exchangeKey{outcome: outcome, refused: ex.Refused}
	if ex.Target != nil {
		k.environment, k.service = ex.Target.Environment, ex.Target.Service
		k.result, k.reason = string(ex.Cache.Result), ex.Cache.Reason
	}
	if ex.Caller != nil {
		k.caller = ex.Caller.Name
	}
	t := i.tally(k)
	t.exchanges.Add(1)
	if saved := int64(ex.Cache.Saved); saved > 0 {
		t.savedCalls.Add(saved)
		if ex.QuotaView != nil { // a bucket counts the service
			t.savedTokens.Add(saved)
		}
	}
}

// exchangeSums are tallies by the labels that a metric has.
type exchangeSums map[cacheKey]int64

// observe is called at each scrape.
func (i *exchangeInstruments) observe(_ context.Context, o metric.Observer) error {
	o.ObserveInt64(i.active, i.running.Load())
	byWhom, requests, calls, tokens, refused := exchangeSums{}, exchangeSums{}, exchangeSums{}, exchangeSums{}, exchangeSums{}
	i.tallies.Range(func(key, value any) bool {
		k, t := key.(exchangeKey), value.(*exchangeTally)
		labels := cacheKey{environment: k.environment, service: k.service, caller: k.caller}
		calls[labels] += t.savedCalls.Load()
		tokens[labels] += t.savedTokens.Load()
		exchanges := t.exchanges.Load()
		if k.result != string(exchange.CacheNone) {
			labels.result, labels.reason = k.result, k.reason
			requests[labels] += exchanges
		}
		if k.refused != "" {
			refused[cacheKey{reason: k.refused}] += exchanges
		}
		byWhom[cacheKey{environment: k.environment, service: k.service, caller: k.caller, outcome: k.outcome}] += exchanges
		return true
	})
	byWhom.observe(o, i.byWhom, exchangeAttributes)
	refused.observe(o, i.refused, refusedAttributes)
	requests.observe(o, i.requests, cacheAttributes)
	calls.observe(o, i.savedCalls, cacheAttributes)
	tokens.observe(o, i.savedTokens, cacheAttributes)
	return nil
}

// observe leaves out what has not happened.
func (s exchangeSums) observe(o metric.Observer, counter metric.Int64ObservableCounter, attributes func(cacheKey) []attribute.KeyValue) {
	for k, n := range s {
		if n > 0 {
			o.ObserveInt64(counter, n, metric.WithAttributes(attributes(k)...))
		}
	}
}

func exchangeAttributes(k cacheKey) []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.String("caller", k.caller),
		attribute.String("environment", k.environment),
		attribute.String("service", k.service),
		attribute.String("outcome", cmp.Or(k.outcome, "ok")),
	}
}

func refusedAttributes(k cacheKey) []attribute.KeyValue {
	return []attribute.KeyValue{attribute.String("reason", k.reason)}
}

func (m *Metrics) exchangeBegins() {
	if m != nil {
		m.exchanges.running.Add(1)
	}
}

func (m *Metrics) exchangeEnds(r *http.Request, ex *exchange.Exchange, status int, outcome string, d time.Duration) {
	if m == nil {
		return
	}
	k := serverKey{method: knownMethod(r.Method), status: status, errorType: outcome, encrypted: r.TLS != nil}
	if ex.Target != nil {
		k.route = ex.Target.Route
	}
	m.exchanges.running.Add(-1)
	m.server.Record(r.Context(), d.Seconds(), m.serverSet(k)...)
	m.exchanges.count(ex, outcome)
}

// serverKey is one combination of label values of the server's durations.
type serverKey struct {
	method, route, errorType string
	status                   int
	encrypted                bool
}

// serverSet returns a slice, as a call that makes one from arguments allocates.
func (m *Metrics) serverSet(k serverKey) []metric.RecordOption {
	if known, ok := m.sets.Load(k); ok {
		return known.([]metric.RecordOption)
	}
	made := []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(serverAttributes(k)...))}
	m.sets.Store(k, made)
	return made
}

func serverAttributes(k serverKey) []attribute.KeyValue {
	scheme := "http"
	if k.encrypted {
		scheme = "https"
	}
	return withError(k.errorType, []attribute.KeyValue{
		attribute.String("http.request.method", k.method),
		attribute.String("http.route", k.route),
		attribute.Int("http.response.status_code", k.status),
		attribute.String("url.scheme", scheme),
	})
}
